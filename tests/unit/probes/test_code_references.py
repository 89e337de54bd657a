"""Code that names another system is found in any file and any case; the guard is told apart; code that was not read proves nothing."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.probes.code_references import ASK, FACTS, observe
from golive.probes.look import Observed

from .fake_look import FakeLook


@pytest.fixture
def code(tmp_path: Path) -> Path:
    for name, text in (("crypto/artifacts/__init__.py", 'assert "swing" not in root\n'), ("crypto/trade.py", "ROOT = 'kraken_global'\n"),
                       ("tools/run.sh", "exec trade\n"), ("crypto/__pycache__/old.pyc", "swing"), ("crypto/icon.bin", "swing\0")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def ask(code: Path, **more: Any) -> Observed:
    given = {"paths": [str(code / "crypto"), str(code / "tools")], "words": ["swing"], "allowed": ["artifacts/__init__.py"],
             "control": "kraken_global", **more}
    assert set(given) == set(ASK)
    found = observe(given, FakeLook())  # type: ignore[arg-type]
    assert set(found.facts) == set(FACTS)
    return found


def test_code_that_names_nothing_but_in_its_guard(code: Path) -> None:
    found = ask(code)
    assert found.facts == {"references": [], "allowed_references": 1, "control_found": True, "files": 3}
    assert found.opportunities == 3


@pytest.mark.parametrize(("name", "line"), [
    ("crypto/trade.py", "import Swing.models"), ("tools/run.sh", "# SWING"), ("tools/deep/x.json", '"swing"')])
def test_a_reference_is_told_with_file_and_line(code: Path, name: str, line: str) -> None:
    (code / name).parent.mkdir(exist_ok=True)
    with (code / name).open("a") as handle:
        handle.write(line + "\n")
    number = (code / name).read_text().count("\n")
    assert ask(code).facts["references"] == [f"{code / name}:{number}"]


def test_the_guard_is_named_by_whole_parts_of_its_path(code: Path) -> None:
    assert len(ask(code, allowed=[]).facts["references"]) == 1
    assert len(ask(code, allowed=["s/__init__.py"]).facts["references"]) == 1


def test_other_code_than_the_bot_s_is_seen_by_its_control(code: Path) -> None:
    (code / "crypto/trade.py").write_text("")
    assert ask(code).facts["control_found"] is False


@pytest.mark.parametrize(("more", "match"), [
    ({"paths": ["/nowhere"]}, "no code"), ({"words": []}, "no word"), ({"control": ""}, "no word")])
def test_what_was_not_read_is_undecided(code: Path, more: dict[str, Any], match: str) -> None:
    with pytest.raises(Undecided, match=match):
        ask(code, **more)


def test_a_file_too_large_to_be_read_whole_is_undecided(code: Path) -> None:
    (code / "crypto/large.py").write_text("x" * ((4 << 20) + 1))
    with pytest.raises(Undecided, match="too large"):
        ask(code)
