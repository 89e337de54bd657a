"""Modules whose work is done on the controller: started without their action plugin they say so, whatever they were given."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("name", ["arm", "quiet_key", "ramp", "store_act", "store_identity", "vault_store"])
def test_without_its_action_plugin_it_refuses_in_one_sentence(run: Callable[..., dict[str, Any]], name: str) -> None:
    for given in ({}, {"role": "x", "credential": "vault:kv/s/live#key"}):
        found = run(name, given)
        assert found["failed"]
        assert found["msg"] == f"{name} runs through its action plugin: use the repository's ansible.cfg, which names plugins/action"
