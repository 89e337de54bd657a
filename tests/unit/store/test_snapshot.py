"""A drill beside the store that was saved is tried again when that one turned the restored copy away, and not for ever."""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.store import bring_up, snapshot

KEEPERS = bring_up.Keepers(["ada"], ["x"], 1, Path("/nowhere"), None)


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    (tmp_path / "store-1.snap").write_bytes(b"\x1f\x8b data")
    files = [{"name": "store-1.snap", "sha256": hashlib.sha256(b"\x1f\x8b data").hexdigest()}]
    path = tmp_path / "store-1.manifest.json"
    path.write_text(json.dumps({"files": files}))
    return path


@pytest.mark.parametrize("turned_away", [0, 1, snapshot.TRIES - 1, snapshot.TRIES])
def test_tried_again_and_not_for_ever(manifest: Path, monkeypatch: pytest.MonkeyPatch, turned_away: int) -> None:
    asked: list[bytes] = []

    def drilled(_manifest: dict[str, Any], data: bytes, *_: object) -> dict[str, Any]:
        asked.append(data)
        if len(asked) <= turned_away:
            raise snapshot.TurnedAwayError("turned away")
        return {"secrets": 3, "equal": 3}

    monkeypatch.setattr(snapshot, "_drilled", drilled)
    if turned_away == snapshot.TRIES:
        with pytest.raises(GoliveError, match="turned away"):
            snapshot.drill(manifest, Path("vault"), KEEPERS)
    else:
        assert snapshot.drill(manifest, Path("vault"), KEEPERS)["equal"] == 3
    assert len(asked) == min(turned_away + 1, snapshot.TRIES)
