"""Where things are in a registry: the same names below a directory and below a prefix of an object store."""
from __future__ import annotations

import re
from typing import Any

from .errors import RegistryError

CANDIDATES, VALIDATIONS, MODELS, SHADOW = AREAS = ("candidates", "validations", "models", "shadow")
POINTER = "approved_model.json"
LOG = "approvals.jsonl"
MANIFEST = "manifest.json"        # written last: what has none is not there
DECLARATION = "candidate.json"    # what the trainer says about the model
RECORD = "record.json"            # the judgement of the four gates
PREDICTIONS = "predictions.jsonl"
PREFIX = "sha256:"

_SCOPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}(/[a-z0-9][a-z0-9_-]{0,63}){0,3}\Z")
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}(/[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}){0,7}\Z")


def scope(text: str) -> str:
    """Return a scope such as `crypto/kraken_global`. Raises RegistryError for anything that could leave the registry."""
    if not isinstance(text, str) or _SCOPE.match(text) is None:
        raise RegistryError("not a scope", code="usage", found=repr(text)[:80], expected="lower-case words joined by /")
    return text


def folder(digest: Any) -> str:
    """Return the folder of a digest: its 64 hex digits. Raises RegistryError for anything else."""
    text = digest[len(PREFIX):] if isinstance(digest, str) and digest.startswith(PREFIX) else digest
    if not isinstance(text, str) or _HEX.match(text) is None:
        raise RegistryError("not a digest", code="usage", found=repr(digest)[:80], expected="sha256:<64 hex digits>")
    return text


def is_folder(name: str) -> bool:
    """Return whether a name in an area is that of something complete (temporary ones begin with a dot)."""
    return _HEX.match(name) is not None


def is_file(path: str) -> bool:
    """Return whether a relative path is one that a model may have: plain names, no `..`, no hidden file, no absolute path."""
    return _FILE.match(path) is not None


def short(digest: Any) -> str:
    """Return a digest as people compare it: the first twelve digits."""
    return folder(digest)[:12] if digest else "none"
