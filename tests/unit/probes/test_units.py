"""One question to systemd answers for every unit that the plan asks about, and only while the answer is young."""
from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from golive.errors import Undecided
from golive.probes import _units
from golive.probes.look import Completed

from .fake_look import FakeLook


def block(name: str) -> str:
    return f"Id={name}\nLoadState=loaded\nActiveState=active\nMainPID={len(name)}\n"


class Systemd:
    """Answers as `systemctl show` does: one block a name, an empty line between them."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.minds = ""

    def __call__(self, argv: Sequence[str]) -> Completed:
        names = list(argv[argv.index("--") + 1:])
        self.asked.append(names)
        if self.minds in names:
            return Completed(1, "", f"Invalid unit name {self.minds}")
        return Completed(0, "\n".join(map(block, names)), "")


@pytest.fixture
def systemd(monkeypatch: pytest.MonkeyPatch) -> Iterator[Systemd]:
    monkeypatch.setattr(_units, "_expected", set())
    monkeypatch.setattr(_units, "_answers", {})
    return Systemd()


def test_all_units_of_a_plan_are_asked_for_at_once(systemd: Systemd) -> None:
    look = FakeLook(commands={"systemctl show": systemd})
    _units.expect(["a.service", "bbb.service"])
    assert [_units.show(name, look).pid for name in ("a.service", "bbb.service", "a.service")] == [9, 11, 9]
    assert systemd.asked == [["a.service", "bbb.service"]]
    assert _units.show("other.service", look).pid == 13
    assert len(systemd.asked) == 2


def test_an_answer_that_is_no_longer_young_is_asked_for_again(systemd: Systemd, monkeypatch: pytest.MonkeyPatch) -> None:
    look = FakeLook(commands={"systemctl show": systemd})
    clock = [100.0]
    monkeypatch.setattr(_units.time, "monotonic", lambda: clock[0])
    _units.expect(["a.service"])
    _units.show("a.service", look)
    clock[0] += 1.1
    _units.show("a.service", look)
    assert len(systemd.asked) == 2


def test_a_unit_that_systemd_minds_does_not_hide_the_others(systemd: Systemd) -> None:
    look = FakeLook(commands={"systemctl show": systemd})
    systemd.minds = "b@@.service"
    _units.expect(["a.service", "b@@.service"])
    assert _units.show("a.service", look).running
    with pytest.raises(Undecided, match="Invalid unit name"):
        _units.show("b@@.service", look)


def test_nothing_that_was_not_expected_is_remembered(systemd: Systemd) -> None:
    look = FakeLook(commands={"systemctl show": systemd})
    for _ in range(2):
        _units.show("a.service", look)
    assert len(systemd.asked) == 2
