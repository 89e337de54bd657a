"""The campaigns that prove golive: every control seen red by a break of its own (one file per fault), and healed."""
