"""A small honest trading bot for Kraken spot: the stand-in that golive rehearses with."""

__version__ = "1.0.0"
