"""Wire drills: a copy of the bot's release against a rehearsal exchange of its own, one stimulus at a time, signed as `lab-drill`."""
