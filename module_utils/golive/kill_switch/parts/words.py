"""What can go wrong, in three kinds, and how a venue's number is read."""
from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

ZERO = Decimal(0)


class Problem(Exception):
    """What is wrong with settings or credential, in one sentence."""


class Refused(Exception):
    """The venue answered with errors; its own words. `limited`: it asked for fewer requests; `wait_s`: for how long, when it says."""

    def __init__(self, words: str, limited: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(words)
        self.limited, self.wait_s = limited, wait_s


class Gone(Refused):
    """The order is not open any more, or never was: for a cancel that is what was wanted."""


class Silent(Exception):
    """The venue did not answer, or not as documented: whether it acted is not known."""


def number(value: Any) -> Decimal:
    """Return a venue's decimal text; what is none counts as zero."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return Decimal(0)
    return found if found.is_finite() else Decimal(0)


def exact(value: Any, what: str) -> Decimal:
    """Return a venue's decimal text. Raises Silent for everything else: an amount that cannot be read is not known, and never zero."""
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise Silent("%s is no number" % what) from None
    if isinstance(value, bool) or not found.is_finite():
        raise Silent("%s is no number" % what)
    return found


def text_of(value: Decimal) -> str:
    """Return a decimal without exponent and without trailing zeros, as venues take it."""
    shown = format(value, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def stepped(value: Decimal, step: Decimal, up: bool = False) -> Decimal:
    """Return a value on the venue's grid, downwards unless `up`."""
    if step <= 0:
        return value
    whole = value // step
    return (whole + 1 if up and whole * step != value else whole) * step
