"""Commands: read in the form they have; an answer in no form is undecided."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.probes import command
from golive.probes.look import Completed

from .fake_look import FakeLook

TRACKING = "C0248F97,192.36.143.151,2,1795259000.1,{offset},0.0001,0.0002,-5.1,0.01,0.2,0.01,0.002,64.2,{leap}\n"
SOURCES = "^,*,192.36.143.151,1,6,377,33,0.0001,0.0001,0.002\n^,?,10.0.0.1,0,6,0,-,0,0,0\n^,+,192.36.143.9,1,6,17,3,0,0,0\n"


def observe(answer: Any, parse: str, more: dict[str, Any] | None = None, **ask: Any) -> dict[str, Any]:
    look = FakeLook(commands={**(more or {}), "tool": answer})
    return command.observe({"argv": ["tool", "--ask"], "parse": parse, **ask}, look)  # type: ignore[arg-type]


def chrony(offset: str = "-0.000012", leap: str = "Normal", sources: str = SOURCES, rc: int = 0) -> dict[str, Any]:
    return observe(Completed(rc, TRACKING.format(offset=offset, leap=leap), ""), "chrony_tracking", {"sources": Completed(0, sources, "")})


def test_a_followed_clock_has_offset_and_sources() -> None:
    facts = chrony()
    assert (facts["offset_abs_s"], facts["synchronised"], facts["sources"], facts["stratum"]) == (0.000012, True, 2, 2)


def test_a_clock_that_follows_nobody_is_not_synchronised() -> None:
    assert chrony(leap="Not synchronised")["synchronised"] is False
    assert chrony(offset="5.2")["offset_abs_s"] == 5.2


@pytest.mark.parametrize("answer", [Completed(1, "506 Cannot talk to daemon", ""), Completed(0, "", ""), Completed(0, "a,b,c\n", ""),
                                    Completed(0, "x," * 14, "")])  # fmt: skip
def test_a_clock_that_cannot_be_asked_is_undecided(answer: Completed) -> None:
    with pytest.raises(Undecided):
        observe(answer, "chrony_tracking", {"sources": Completed(0, SOURCES, "")})


UPGRADE = """Inst libc6 [2.41-11] (2.41-12 Debian:13.1/stable, Debian-Security:13/stable-security [amd64])
Inst vim [1] (2 Debian:13.1/stable [amd64])
Conf libc6 (2.41-12 Debian:13.1/stable)
"""


def apt(answer: str, held: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, policy: str = "") -> dict[str, Any]:
    (tmp_path / "deb_Packages").write_text("")
    monkeypatch.setattr(command, "_LISTS", str(tmp_path))
    more = {"showhold": Completed(0, held, ""), "policy": Completed(0, policy, "")}
    return observe(Completed(0, answer, ""), "apt_upgrades", more)


def test_security_updates_are_told_from_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert apt(UPGRADE, "", tmp_path, monkeypatch)["security_packages"] == ["libc6"]
    assert apt("", "", tmp_path, monkeypatch)["security_pending"] == 0


def test_a_held_package_with_an_update_is_pending(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = "openssl:\n  Installed: 3.5.0\n  Candidate: 3.5.1\n"
    assert apt("", "openssl\n", tmp_path, monkeypatch, policy)["security_packages"] == ["openssl"]
    assert apt("", "openssl\n", tmp_path, monkeypatch, policy.replace("3.5.1", "3.5.0"))["security_pending"] == 0


def test_without_lists_nothing_is_known_about_updates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "_LISTS", str(tmp_path / "none"))
    with pytest.raises(Undecided, match="no package lists"):
        observe(Completed(0, "", ""), "apt_upgrades", {"showhold": Completed(0, "", "")})


def test_a_tool_of_the_bot_answers_in_json_even_when_it_says_no() -> None:
    facts = observe(Completed(1, '{"failed": 1, "components": 8, "details": {"x": 1}}', ""), "json", user=None)
    assert facts == {"rc": 1, "json.failed": 1, "json.components": 8}


@pytest.mark.parametrize("text", ["", "operational", "[1]", "{", '{"a":' * 9999])
def test_a_tool_that_answers_nothing_readable_is_undecided(text: str) -> None:
    with pytest.raises(Undecided, match="no JSON object"):
        observe(Completed(0, text, "Traceback: boom"), "json")


@pytest.mark.parametrize("ask", [{"argv": []}, {"argv": "rm -rf /"}, {"argv": [1]}, {"argv": ["tool"], "parse": "xml"}, {}])
def test_a_question_that_is_none_is_undecided(ask: dict[str, Any]) -> None:
    with pytest.raises(Undecided):
        command.observe(ask, FakeLook(commands={"tool": Completed(0, "", "")}))  # type: ignore[arg-type]
