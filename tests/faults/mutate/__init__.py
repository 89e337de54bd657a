"""Random changes that golive has to notice: each is seeded, replayable by its number, and counted."""
