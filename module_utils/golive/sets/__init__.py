"""Set modules: what a host shall hold, as data; decided by a pure function, acted on once, predicted truly in check mode."""
