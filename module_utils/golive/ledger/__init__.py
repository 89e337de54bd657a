"""Reads a bot's trading records again: pure functions from lines to facts, one file a question."""
