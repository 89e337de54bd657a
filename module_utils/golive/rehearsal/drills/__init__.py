"""Drills on the hosts of the rehearsal: what a person would try before real money, done to real units, seen by the venue."""
