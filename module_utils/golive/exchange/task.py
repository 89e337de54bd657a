"""The question as one Ansible task: from checked module arguments to the module's result."""

from __future__ import annotations

import os
from typing import Any, Dict, Mapping, Optional

from ..errors import GoliveError
from . import credential
from .ask import World
from .check import check
from .model import Credential
from .table import line
from .world import here


def perform(params: Mapping[str, Any], material: Any, world: Optional[World] = None) -> Dict[str, Any]:
    """Return verdict, problems, undecided, facts, changes and `msg`. `material` is the key in memory, or None.

    Raises GoliveError for options that mean nothing.
    """
    found, judgement = check(params, _credential(params, material), here() if world is None else world)
    return {
        "verdict": judgement.verdict,
        "problems": judgement.problems,
        "undecided": judgement.undecided,
        "facts": found,
        "changes": [],
        "msg": line(found, judgement),
    }


def _credential(params: Mapping[str, Any], material: Any) -> Credential:
    if material is None:
        reference = str(params["credential"])
        if reference.startswith("fd:"):
            raise GoliveError(
                "a module is started without descriptors", where="credential", todo="use sealed:, credential:, file: or key_material"
            )
        return credential.load(reference, os.environ)
    if isinstance(material, str):
        return credential.parse(material.encode("utf-8"), "key_material")
    if isinstance(material, dict):
        return credential.build(material, "key_material")
    raise GoliveError(
        "neither a mapping nor a JSON text", where="key_material", expected="key, secret and, where the venue has one, passphrase"
    )
