"""The reference page says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from golive.exchange.model import RIGHTS
from golive.exchange.venues import NAMES, load

PAGE = (Path(__file__).parents[3] / "docs/reference/exchange_key_permissions.md").read_text()
ROWS = {
    row.split("|")[1].strip(" `"): [cell.strip() for cell in row.split("|")[1:-1]] for row in PAGE.splitlines() if row.startswith("| `")
}


@pytest.mark.parametrize("name", NAMES)
def test_every_venue_has_a_row_with_its_markets_nonces_and_environments(name: str) -> None:
    kind, row = load(name), ROWS[name]
    assert row[2] == ", ".join(kind.markets)
    if kind.askable:
        assert ("spends one" in row[5]) is kind.spends_nonce
        assert row[6] == ", ".join(environment for environment in kind.hosts if environment != "production")


def test_every_right_has_a_row() -> None:
    assert set(RIGHTS) <= set(ROWS)


def test_every_refusal_is_explained() -> None:
    source = Path(__file__).parents[3] / "module_utils/golive/exchange"
    kinds = set(re.findall(r'_Stop\("([a-z_]+)"', (source / "ask.py").read_text()))
    from golive.exchange import model

    kinds |= {value for name, value in vars(model).items() if name.isupper() and isinstance(value, str) and name not in ("NEVER",)}
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in PAGE] == []
