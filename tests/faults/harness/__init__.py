"""What the campaigns share: the form of a fault, the worlds in which faults are tried, the trial itself, and its record."""
