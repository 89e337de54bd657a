"""Which candidates and models are no longer needed? Decides only."""
from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional

from . import history, names
from .errors import RegistryError
from .store import Store


class Chosen(NamedTuple):
    """Digests to take away, and how many stay."""

    models: List[str]
    candidates: List[str]
    validations: List[str]
    kept_models: int
    kept_candidates: int


def choose(store: Store, present: Optional[Mapping[str, Any]], keep_candidates: int, keep_models: int) -> Chosen:
    """Return what goes. Models: all but the newest `keep_models` that were in force, the present one and the one before it.

    Candidates: those of kept models, and of those that were never in force the newest `keep_candidates` by the end of their training.
    """
    if keep_models < 2 or keep_candidates < 0:
        raise RegistryError("a registry keeps the model in force and the one before it", code="usage", where="keep_models",
                            found=keep_models, expected="2 or more")
    models = [names.PREFIX + one for one in store.folders(names.MODELS)]
    in_force = list(history.distinct_models(store.newest_first()))
    pinned = set() if present is None else {present["digest"], present["previous"]}
    stays = pinned | set([one for one in in_force if one in models][:keep_models])
    gone = sorted(one for one in models if one not in stays)
    candidates = [names.PREFIX + one for one in store.folders(names.CANDIDATES)]
    waiting = sorted((one for one in candidates if one not in in_force), key=lambda one: (_ended(store, one), one), reverse=True)
    kept = set(waiting[:keep_candidates]) | stays
    old = sorted(one for one in candidates if one not in kept)
    known = {names.PREFIX + one for one in store.folders(names.VALIDATIONS)}
    return Chosen(gone, old, sorted(one for one in known if one not in kept), len(models) - len(gone), len(candidates) - len(old))


def _ended(store: Store, digest: str) -> str:
    from .manifest import declaration  # noqa: PLC0415
    from .seen import FILES  # noqa: PLC0415

    try:
        return str(declaration(store.read(names.CANDIDATES, names.folder(digest), FILES, names.DECLARATION)).training["ended"])
    except RegistryError:
        return ""
