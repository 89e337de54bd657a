"""Resolves secret references at the moment of use, in memory (M21, M22). Controller only; a value never becomes a variable."""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .errors import GoliveError

if TYPE_CHECKING:
    from .session import Session


def resolve_all(references: Iterable[str], joined: Session) -> dict[str, str]:
    """Return {reference: value}. Raises GoliveError, which names the reference and never a value."""
    return {reference: resolve(reference, joined) for reference in sorted(references)}


def resolve(reference: str, joined: Session) -> str:
    """Return the value that a reference names."""
    backend = reference.split(":", 1)[0]
    raise GoliveError(f"secret {reference} cannot be resolved", found=f"no backend {backend} for {joined.system}")
