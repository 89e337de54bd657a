"""One package a venue: its wire protocol over the one engine."""
