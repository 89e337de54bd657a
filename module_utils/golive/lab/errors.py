"""What can go wrong with the lab, said in one sentence."""

from __future__ import annotations

from ..errors import GoliveError


class LabError(GoliveError):
    """The lab (engine, image, network, hosts) is not as wanted and cannot be made so."""
