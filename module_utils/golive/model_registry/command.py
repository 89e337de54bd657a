"""The registry without Ansible: one file for a host, for its timer and for people. `model_registry.pyz run FILE` | `manifest FOLDER`.

`run` takes a JSON object with parameters of the module model_promotion and prints its result; exit 0 done, 1 refused, 64 wrong use.
`manifest` prints the manifest of a trainer's folder, which is what a signature of a candidate is over, and its digest on standard error.
"""
from __future__ import annotations

import json
import sys
from typing import Any, Dict, List, Optional, Sequence

from .. import canonical
from ..errors import GoliveError
from . import manifest, seen
from .errors import RegistryError
from .manifest import File
from .task import SPEC, perform

USAGE = "USAGE: model_registry.pyz run FILE [--check] | manifest FOLDER\n"
_CAPS = {"max_files": 100_000, "max_bytes": 1 << 50}


def parameters(text: bytes, where: str) -> Dict[str, Any]:
    """Return parameters with the module's defaults. Raises RegistryError for unknown and missing ones."""
    given = manifest.unique(text, where)
    surplus = sorted(set(given) - set(SPEC))
    missing = sorted(name for name, one in SPEC.items() if one.get("required") and name not in given)
    if surplus or missing:
        raise RegistryError("has not the parameters of model_promotion", code="usage", where=where,
                            found=("unknown " + ", ".join(surplus)) if surplus else ("without " + ", ".join(missing)))
    return {**{name: one.get("default") for name, one in SPEC.items()}, **given}


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Run one command."""
    words: List[str] = list(sys.argv[1:] if arguments is None else arguments)
    if words in (["--help"], ["-h"]):
        sys.stdout.write(USAGE)
        return 0
    try:
        if len(words) == 2 and words[0] == "manifest":
            files, _signatures = seen.source(words[1], _CAPS)
            data = manifest.encode([File(one.path, one.size, one.sha256) for one in files])
            sys.stdout.buffer.write(data)
            sys.stderr.write(canonical.digest(data) + "\n")
            return 0
        if len(words) in (2, 3) and words[0] == "run" and words[2:] in ([], ["--check"]):
            with open(words[1], "rb") as handle:
                result = perform(parameters(handle.read(manifest.DECLARATION_CAP), words[1]), bool(words[2:]))
            sys.stdout.write(json.dumps(result, sort_keys=True) + "\n")
            return 1 if result.get("failed") else 0
    except (GoliveError, OSError) as exc:
        sys.stderr.write("model_registry: %s\n" % exc)
        return 1
    sys.stderr.write(USAGE)
    return 64


if __name__ == "__main__":
    sys.exit(main())
