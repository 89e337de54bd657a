"""Which release the live process really runs, as far as the kernel lets it be seen."""
from __future__ import annotations

import pytest
from golive.probes import _units, ticket

ONE, TWO = "a" * 64, "b" * 64


@pytest.mark.parametrize(("cwd", "mapped", "release"), [
    (f"/opt/bot/releases/{ONE}/app", [], ONE),
    (None, ["/usr/lib/libc.so.6", f"/opt/bot/releases/{ONE}/site-packages/x.so"], ONE),  # root of a container sees no cwd
    (f"/opt/bot/releases/{ONE}/app", [f"/opt/bot/releases/{ONE}/app/y.so"], ONE),
    (f"/opt/bot/releases/{ONE}/app", [f"/opt/bot/releases/{TWO}/app/y.so"], None),       # two releases in one process are none
    (None, ["/usr/lib/libc.so.6"], None),
    (None, [f"/opt/bot/releases/{ONE}0/app/y.so"], None)])
def test_the_release_of_a_process(monkeypatch: pytest.MonkeyPatch, cwd: str | None, mapped: list[str], release: str | None) -> None:
    monkeypatch.setattr(_units, "link", lambda _pid, _name: cwd)
    monkeypatch.setattr(_units, "mapped", lambda _pid: mapped)
    assert ticket._release_of(7) == (None if release is None else f"sha256:{release}")
