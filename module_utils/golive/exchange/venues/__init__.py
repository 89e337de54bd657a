"""Which venues there are. A venue is one file here plus one line in `load`, and its fixtures in tests/unit/exchange/fixtures.

The imports stand inside the function because a check needs one venue only, and spelled out because Ansible finds what it
must send to a target by reading import statements.
"""

from __future__ import annotations

from typing import Tuple, Type

from ...errors import GoliveError
from ..model import Venue

NAMES: Tuple[str, ...] = ("kraken",)


def load(name: str) -> Type[Venue]:
    """Return the class of a venue. Raises GoliveError for a name that is not in NAMES."""
    if name == "kraken":
        from .kraken import Kraken  # noqa: PLC0415 (one venue a check)

        return Kraken
    raise GoliveError("this venue is not known", where="venue", found=repr(name)[:40], expected=", ".join(NAMES))
