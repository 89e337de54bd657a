"""The rehearsal exchange: keeps the rules of the venue, keeps the score, and can be cruel on demand."""
