"""A wrong configuration gets one sentence: where, what was found, what is expected; plain HTTP stays on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from exchange_sandbox.config import load
from exchange_sandbox.errors import SandboxError

ROOT = Path(__file__).parents[3]
GOOD = {
    "state_dir": "/tmp/x",
    "token_file": "/tmp/t",
    "allow_plain_http_on_loopback": True,
    "venue": {"host": "127.0.0.1", "port": 1},
    "admin": {"host": "::1", "port": 2},
}


def _write(tmp_path: Path, **changes: Any) -> Path:
    path = tmp_path / "config.json"
    path.write_text(json.dumps({name: value for name, value in {**GOOD, **changes}.items() if value is not None}))
    return path


def test_a_good_configuration_is_read(tmp_path: Path) -> None:
    config = load(_write(tmp_path, market={"half_life_s": 4}, pairs=["SHIBUSDT"]))
    assert (config.venue.port, config.market.half_life_s, config.pairs) == (1, 4.0, ("SHIBUSDT",))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"venue": {"host": "0.0.0.0", "port": 443}}, "plain HTTP is only served on 127.0.0.1"),
        ({"allow_plain_http_on_loopback": False}, "no certificate"),
        ({"venue": {"host": "localhost", "port": 1}}, "plain HTTP"),
        ({"venue": {"host": "127.0.0.1", "port": 1, "certificate": "/c"}}, "belong together"),
        ({"venue": 5}, "venue: expected"),
        ({"surprise": 1}, "unknown setting surprise"),
        ({"state_dir": None}, "state_dir is missing"),
        ({"market": {"half_life": 4}}, "market: unknown setting"),
        ({"market": {"tick_s": 0}}, "market.tick_s: expected a number above 0"),
        ({"market": {"tick_s": "fast"}}, "found 'fast'"),
        ({"public_rate": {"max": -1}}, "public_rate.max"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(SandboxError, match=words.replace("(", r"\(")):
        load(_write(tmp_path, **changes))


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(SandboxError):
        load(path)


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda path: None, "the administration token cannot be read"),
        (lambda path: (path / "token").write_text("short"), "shorter than 16"),
        (
            lambda path: (
                (path / "token").write_text("t" * 32),
                (path / "state").mkdir(),
                (path / "state/0.journal.jsonl").write_text("{\n[]\n"),
            ),
            "damaged at line 1",
        ),
        (
            lambda path: ((path / "token").write_text("t" * 32), (path / "state").mkdir(), (path / "state/snapshot.json").write_text("{")),
            "is damaged",
        ),
        (lambda path: ((path / "token").write_text("t" * 32), (path / "state").write_text("")), "state_dir"),
        (
            lambda path: ((path / "token").write_text("t" * 32), (path / "state").mkdir(), (path / "state/keys.json").write_text("[{]")),
            "keys.json",
        ),
    ],
)
def test_the_program_ends_with_one_sentence_and_no_traceback(tmp_path: Path, prepare: Any, words: str) -> None:
    path = _write(tmp_path, state_dir=str(tmp_path / "state"), token_file=str(tmp_path / "token"))
    prepare(tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "exchange_sandbox", "--config", str(path)], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 1
