"""Epochs: a counter that every kill raises, kept on each kill machine. A money action asks them all before it acts.

Higher than the ticket's on one machine: refused. None answers: refused, because nobody could have said stop.
"""
from __future__ import annotations

from collections.abc import Mapping

EPOCH_DIR = "/var/lib/golive/epochs"
"""On a kill machine: one empty file an epoch, named by its number. Raising needs no lock and can never lower it."""

READ = ("import os,sys\n"
        "try: names=os.listdir(%r)\n"
        "except FileNotFoundError: names=[]\n"
        "print('epoch', max([int(n) for n in names if n.isascii() and n.isdigit()] or [0]))\n")


def parse(stdout: str) -> int | None:
    """Return the epoch out of what a kill machine printed, or None if it did not say."""
    for line in stdout.splitlines():
        word, _, number = line.strip().partition(" ")
        if word == "epoch" and number.isascii() and number.isdigit():
            return int(number)
    return None


def reasons(ticket_epoch: int, answers: Mapping[str, int | None]) -> list[str]:
    """Return why a money action of this epoch must not happen; empty means it may."""
    heard = {machine: epoch for machine, epoch in answers.items() if epoch is not None}
    if not heard:
        asked = ", ".join(sorted(answers)) or "none is in the inventory"
        return [f"no kill machine answered ({asked}): nobody could say stop"]
    return [f"kill machine {machine} is at epoch {epoch}, the ticket is of {ticket_epoch}: a kill came after it was signed; "
            "reconcile, write down the cause, sign a new ticket" for machine, epoch in sorted(heard.items()) if epoch > ticket_epoch]


def highest(answers: Mapping[str, int | None]) -> int:
    """Return the epoch that a new ticket has to carry."""
    return max([epoch for epoch in answers.values() if epoch is not None], default=0)
