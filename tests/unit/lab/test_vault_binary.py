"""Which toolchain builds the lab's Vault, and what its key depends on."""

from __future__ import annotations

import pytest
from golive.lab.vault_binary import MODULES, go_version, vault_folder


@pytest.mark.parametrize(("said", "version"), [
    ("go version go1.26.8 linux/amd64", (1, 26)),
    ("go version go1.19 linux/amd64", (1, 19)),
    ("go version devel go1.27-abc Mon", (1, 27)),
    ("pyenv: go: command not found", (0, 0)),
])
def test_go_version_is_read_from_its_own_words(said: str, version: tuple[int, int]) -> None:
    assert go_version(said) == version


def test_module_graph_pins_vault_and_its_sdk() -> None:
    modules = (MODULES / "go.mod").read_text()
    assert "github.com/hashicorp/vault v1.19.0" in modules
    assert "github.com/hashicorp/vault/sdk v0.15.2" in modules


def test_binary_is_kept_outside_the_checkout() -> None:
    assert MODULES.parents[2] not in vault_folder().parents
