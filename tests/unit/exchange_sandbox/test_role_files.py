"""What the role writes is what the sandbox reads, and what systemd understands."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from exchange_sandbox.config import load
from exchange_sandbox.market import MarketSettings

ROLE = Path(__file__).parents[3] / "roles/exchange_sandbox"


def _render(name: str, **given: Any) -> str:
    variables = {
        **yaml.safe_load((ROLE / "defaults/main.yml").read_text()),
        "exchange_sandbox_certificate": "/etc/tls/venue.crt",
        "exchange_sandbox_private_key": "/etc/tls/venue.key",
        **given,
    }
    return str(
        Templar(DataLoader(), variables).template(trust_as_template((ROLE / "templates" / name).read_text()), escape_backslashes=False)
    )


@pytest.mark.parametrize(
    "given",
    [
        {},
        {
            "exchange_sandbox_pairs": ["SHIBUSDT"],
            "exchange_sandbox_market": {"half_life_s": 4, "seed": "x"},
            "exchange_sandbox_venue_port": 8443,
        },
    ],
)
def test_the_configuration_of_the_role_is_read_by_the_sandbox(tmp_path: Path, given: dict[str, Any]) -> None:
    path = tmp_path / "config.json"
    path.write_text(_render("config.json.j2", **given))
    config = load(path)
    assert config.venue.port == given.get("exchange_sandbox_venue_port", 443)
    assert config.venue.certificate is not None
    assert config.market == (MarketSettings(half_life_s=4.0, seed="x") if given else MarketSettings())


def test_the_unit_is_understood_by_systemd(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed here")
    unit = tmp_path / "exchange-sandbox.service"
    unit.write_text(_render("exchange-sandbox.service.j2"))
    found = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
    complaints = [line for line in found.stderr.splitlines() if "exchange-sandbox" in line]
    assert complaints == [], complaints


def test_no_secret_stands_in_what_the_role_writes_in_clear() -> None:
    assert "token" in _render("exchange-sandbox.service.j2")
    assert "vault:" not in _render("config.json.j2", exchange_sandbox_admin_token="vault:kv/x#token")
