"""What can go wrong with a registry of models, by a stable word."""
from __future__ import annotations

from typing import Any

from ..errors import GoliveError


class RegistryError(GoliveError):
    """An action was refused or could not be carried out. `code` is a stable word for callers and tests.

    Codes: `usage missing changed busy closed clock unsigned too_few used gates pruned log pointer store unsafe`.
    """

    def __init__(self, what: str, *, code: str, **words: Any) -> None:
        super().__init__(what, **words)
        self.code = code
