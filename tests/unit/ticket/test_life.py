"""From delivery to the end: crashes, kills, expiry. No sequence of events lets the unit run without a ticket that was valid here."""
from __future__ import annotations

import contextlib
import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import ticket
from golive.ticket import Host, Refused
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures import people as p

LATER = timedelta(days=2)


class Crash(BaseException):
    """The process is gone at this instruction."""


def data_of(**changes: Any) -> bytes:
    return ticket.encode(p.make_ticket(**changes))


def reader(tmp_path: Path, answer: str, rc: int = 0) -> dict[str, Any]:
    """Return a policy whose positions reader prints this."""
    script = tmp_path / "positions.py"
    script.write_text(f"import sys\nprint({answer!r})\nsys.exit({rc})\n")
    return p.make_policy(positions=[sys.executable, "-ISE", str(script)])


def armed(tmp_path: Path, **how: Any) -> Host:
    host = p.build_host(tmp_path / "host", **how)
    host.install(p.deliver(tmp_path / "delivered", data_of()))
    return host


def mark(tmp_path: Path) -> Path:
    return tmp_path / "host/run/bot/live/exit_only"


def code_of(act: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.code


# --- expiry ---------------------------------------------------------------------------------------------------------

def test_without_a_ticket_the_unit_does_not_start(tmp_path: Path) -> None:
    assert code_of(p.build_host(tmp_path / "host").check) == "no_ticket"


def test_a_ticket_placed_by_hand_does_not_start_the_unit(tmp_path: Path) -> None:
    host = p.build_host(tmp_path / "host")
    p.deliver(tmp_path / "host/etc/golive/arm/tickets/x", data_of())
    os.symlink("tickets/x", tmp_path / "host/etc/golive/arm/installed")
    with pytest.raises(Refused, match="put there by hand"):
        host.check()


def test_an_expired_ticket_with_open_positions_comes_up_exit_only(tmp_path: Path) -> None:
    host = armed(tmp_path, policy=reader(tmp_path, '{"open": 2}'))
    host.now += LATER
    assert host.check() == "exit_only"
    assert json.loads(mark(tmp_path).read_text())["code"] == "expired"


def test_an_expired_ticket_without_open_positions_does_not_start(tmp_path: Path) -> None:
    host = armed(tmp_path, policy=reader(tmp_path, '{"open": 0}'))
    host.now += LATER
    with pytest.raises(Refused, match="no open position") as caught:
        host.check()
    assert not caught.value.again


@pytest.mark.parametrize(("answer", "rc"), [
    ("", 0), ('{"open": 2}', 1), ('{"open": true}', 0), ('{"open": -1}', 0), ('{"open": "2"}', 0), ("[]", 0),
])
def test_a_silent_venue_is_asked_again_and_is_neither_yes_nor_no(tmp_path: Path, answer: str, rc: int) -> None:
    host = armed(tmp_path, policy=reader(tmp_path, answer, rc))
    host.now += LATER
    with pytest.raises(Refused) as caught:
        host.check()
    assert (caught.value.code, caught.value.again) == ("venue_silent", True)


def test_a_new_ticket_ends_exit_only(tmp_path: Path) -> None:
    host = armed(tmp_path, policy=reader(tmp_path, '{"open": 2}'))
    host.now += LATER
    host.check()
    host.install(p.deliver(tmp_path / "next", data_of(nonce="1" * 32, expires="2026-12-22T11:00:00Z")))
    assert not mark(tmp_path).exists()
    assert host.check() == "valid"


def test_a_running_unit_is_marked_when_its_ticket_expires_and_unmarked_by_a_new_one(tmp_path: Path) -> None:
    host = armed(tmp_path)
    assert host.tick() == "valid"
    assert not mark(tmp_path).exists()
    host.now += LATER
    assert host.tick() == "exit_only"
    assert mark(tmp_path).exists()
    host.install(p.deliver(tmp_path / "next", data_of(nonce="1" * 32, expires="2026-12-22T11:00:00Z")))
    assert host.tick() == "valid"


def test_a_signers_key_that_expires_later_does_not_strand_open_positions(tmp_path: Path) -> None:
    signers = p.signers_text([p.enrol("anna"), p.enrol("bert", options='valid-before="20261121130000Z"')])
    host = armed(tmp_path, signers=signers)
    host.now += timedelta(hours=2)
    assert host.check() == "valid"


def test_a_signer_taken_off_the_list_ends_the_ticket(tmp_path: Path) -> None:
    host = armed(tmp_path)
    (tmp_path / "host/etc/golive/arm/allowed_signers").write_bytes(p.signers_text([p.enrol("anna")]))
    assert code_of(host.check) == "unknown_signer"


# --- kill and the way back ------------------------------------------------------------------------------------------

def test_after_a_void_the_unit_never_starts_and_the_key_is_gone(tmp_path: Path) -> None:
    host = armed(tmp_path, policy=reader(tmp_path, '{"open": 2}'))
    key = tmp_path / "host/etc/golive/arm/exchange_key.cred"
    key.write_bytes(b"sealed")
    assert host.void("drawdown", None) == []
    assert not key.exists()
    with pytest.raises(Refused, match="drawdown") as caught:
        host.check()
    assert caught.value.code == "voided"
    host.now += LATER
    assert code_of(host.check) == "voided", "expired and voided: still never"


def test_a_ticket_of_an_older_epoch_is_refused_and_one_of_the_new_epoch_arms_again(tmp_path: Path) -> None:
    host = armed(tmp_path)
    host.void("drill", 4)
    assert code_of(lambda: host.install(p.deliver(tmp_path / "old", data_of(nonce="1" * 32, epoch=3)))) == "voided"
    host.install(p.deliver(tmp_path / "new", data_of(nonce="2" * 32, epoch=4)))
    assert host.check() == "valid"
    assert (tmp_path / ("host/etc/golive/arm/voided.before." + "2" * 32)).exists(), "what happened stays on the host"


def test_a_void_written_by_hand_stops_the_unit_and_no_ticket_answers_it(tmp_path: Path) -> None:
    host = armed(tmp_path)
    (tmp_path / "host/etc/golive/arm/voided").touch()
    assert code_of(host.check) == "voided"
    assert code_of(lambda: host.install(p.deliver(tmp_path / "new", data_of(nonce="2" * 32, epoch=9)))) == "voided"
    host.void("written by hand at night", None)
    host.install(p.deliver(tmp_path / "newer", data_of(nonce="3" * 32, epoch=host.epoch())))
    assert host.check() == "valid"


def test_a_void_that_a_new_ticket_answered_still_kills_every_older_ticket(tmp_path: Path) -> None:
    host = p.build_host(tmp_path / "host")
    host.void("drill", 4)
    host.install(p.deliver(tmp_path / "new", data_of(nonce="2" * 32, epoch=4)))
    assert code_of(lambda: host.install(p.deliver(tmp_path / "old", data_of(nonce="1" * 32, epoch=3)))) == "epoch"


def test_epochs_never_fall(tmp_path: Path) -> None:
    host = p.build_host(tmp_path / "host")
    seen = []
    for epoch in (5, 2, None, 6, None, 1):
        host.void("x", epoch)
        seen.append(host.epoch())
    assert seen == sorted(seen)
    assert seen[:2] == [5, 5]
    assert seen[4] > seen[3], "a second kill is a new epoch"


def test_a_second_kill_voids_every_ticket_signed_after_the_first_one_installed_or_not(tmp_path: Path) -> None:
    host = p.build_host(tmp_path / "host")
    after_first = 1_795_000_000_000  # an epoch of a kill machine, far above this host's clock
    host.install(p.deliver(tmp_path / "one", data_of(nonce="1" * 32, epoch=after_first)))
    host.void("second kill", None)
    assert code_of(lambda: host.install(p.deliver(tmp_path / "two", data_of(nonce="2" * 32, epoch=after_first)))) == "voided"


def test_a_void_on_a_full_disk_still_deletes_the_key_and_says_what_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = armed(tmp_path)
    key = tmp_path / "host/etc/golive/arm/exchange_key.cred"
    key.write_bytes(b"sealed")

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(ticket, "_write", full)
    problems = host.void("drawdown", None)
    assert problems == ["write voided: No space left on device"]
    assert not key.exists()
    assert code_of(host.check) == "epoch"


def test_a_kill_during_a_delivery_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = p.build_host(tmp_path / "host")
    place = Host._place

    def killed_meanwhile(self: Host, *args: Any) -> None:
        place(self, *args)
        self.void("killed while a ticket was being placed", None)

    monkeypatch.setattr(Host, "_place", killed_meanwhile)
    host.install(p.deliver(tmp_path / "delivered", data_of()))
    assert code_of(host.check) == "voided"


def test_after_removal_there_is_nothing_and_a_second_removal_changes_nothing(tmp_path: Path) -> None:
    host = armed(tmp_path)
    assert host.remove() is True
    assert host.remove() is False
    assert code_of(host.check) == "no_ticket"


# --- crashes --------------------------------------------------------------------------------------------------------

STEPS = ("open", "replace", "rename", "mkdir", "symlink", "unlink", "fsync", "makedirs")


def crash_at(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the process vanish before its `number`th call that touches the disk."""
    left = [number]

    def wrap(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Crash
            return real(*args, **kwargs)
        return step

    for name in STEPS:
        monkeypatch.setattr(os, name, wrap(getattr(os, name)))


def test_a_delivery_cut_off_at_any_step_is_finished_by_repeating_it_and_never_leaves_a_stranger(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ticket, "_keygen_verifies", functools.cache(ticket._keygen_verifies))  # the same answers, asked once
    reached, number = False, 0
    while not reached:
        root = tmp_path / str(number)
        host = p.build_host(root)
        host.install(p.deliver(tmp_path / "first", data_of()))
        source = p.deliver(tmp_path / "second", data_of(nonce="1" * 32, stage="day3"))
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, number)
            try:
                host.install(source)
                reached = True
            except Crash:
                pass
        assert host.check() == "valid", f"cut off at step {number}: the unit has the old or the new ticket, never none"
        with contextlib.suppress(Refused):  # refused as replayed where the cut came after the last step
            host.install(source)
        assert host.verify_installed()[0]["stage"] == "day3"
        assert code_of(lambda source=source, host=host: host.install(source)) == "replayed"
        number += 1
    assert number > 20, "the crash points were really passed through"


def test_two_deliveries_at_once_place_one(tmp_path: Path) -> None:
    host = p.build_host(tmp_path / "host")
    with ticket._Lock(host.arm(".lock")):
        assert code_of(lambda: host.install(p.deliver(tmp_path / "delivered", data_of()))) == "busy"


# --- no mutation is accepted ----------------------------------------------------------------------------------------

@settings(max_examples=80)
@given(draw=st.data())
def test_no_changed_byte_of_ticket_signature_or_signers_is_accepted(draw: st.DataObject) -> None:
    texts = {"ticket": data_of(), "anna": p.sign(data_of(), "anna"), "bert": p.sign(data_of(), "bert"),
             "signers": p.signers_text([p.enrol("anna"), p.enrol("bert")])}
    which = draw.draw(st.sampled_from(sorted(texts)))
    changed = bytearray(texts[which])
    kind = draw.draw(st.sampled_from(["flip", "cut", "double", "insert"]))
    at = draw.draw(st.integers(0, len(changed) - 1))
    if kind == "flip":
        changed[at] ^= draw.draw(st.integers(1, 255))
    elif kind == "cut":
        del changed[at:]
    elif kind == "double":
        changed += changed[at:]
    else:
        changed[at:at] = draw.draw(st.binary(min_size=1, max_size=4))
    if which == "signers" and _means_the_same(bytes(changed), texts["signers"]):
        return
    new = {**texts, which: bytes(changed)}
    if which in ("anna", "bert") and _same_signature(new[which], texts[which]):
        return
    with pytest.raises(Refused):
        ticket.examine(new["ticket"], {"anna": new["anna"], "bert": new["bert"]}, new["signers"], p.make_policy(), p.NOW)


def _means_the_same(new: bytes, old: bytes) -> bool:
    """A comment, a blank line or a later end of validity enrols the same keys for the same people; that is not a forgery of the ticket."""
    try:
        after, before = (ticket.parse_signers(text, False) for text in (new, old))
    except Refused:
        return False
    return [(one.principal, one.key) for one in after] == [(one.principal, one.key) for one in before]


def _same_signature(new: bytes, old: bytes) -> bool:
    """The armour may be broken over lines differently; the signature inside is what counts."""
    return new.replace(b"\n", b"") == old.replace(b"\n", b"")


@settings(max_examples=40)
@given(draw=st.data())
def test_no_changed_field_of_a_signed_ticket_is_accepted(draw: st.DataObject) -> None:
    field = draw.draw(st.sampled_from(sorted(ticket.FIELDS)))
    value = draw.draw(st.none() | st.booleans() | st.integers(-1, 3) | st.text(max_size=5) | st.just({}) | st.just("2027-11-22T11:00:00Z"))
    changed = p.make_ticket(**{field: value})
    if ticket.encode(changed) == data_of():
        return
    with pytest.raises(Refused):
        ticket.examine(ticket.encode(changed), {name: p.sign(data_of(), name) for name in ("anna", "bert")}, p.signers_text(),
                       p.make_policy(), p.NOW)


# --- the command line, on the oldest Python that a target may have -------------------------------------------------------

def oldest_python() -> str:
    found = sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9"))
    return str(found[0]) if found else sys.executable


def command(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([oldest_python(), "-ISE", ticket.__file__, "--root", str(root), *words], capture_output=True, text=True,
                          check=False)


def test_the_file_alone_decides_by_exit_code_and_one_sentence(tmp_path: Path) -> None:
    root = tmp_path / "host"
    p.build_host(root)
    none = command(root, "check")
    assert (none.returncode, none.stderr) == (ticket.REFUSED, "ticket: no_ticket: no ticket is installed on this host\n")
    now = datetime.now(UTC)
    window = {"not_before": ticket.utc(now - timedelta(minutes=1)), "expires": ticket.utc(now + timedelta(hours=1))}
    source = p.deliver(tmp_path / "delivered", data_of(**window))
    assert command(root, "install", "--from", source).returncode == ticket.RUN
    assert command(root, "check").stdout == "valid\n"
    assert "replayed" in command(root, "install", "--from", source).stderr
    shown = json.loads(command(root, "show").stdout)
    assert (shown["state"], shown["signed_by"], shown["epoch"]) == ("valid", ["anna", "bert"], 0)
    assert command(root, "void", "--reason", "drill").returncode == ticket.RUN
    assert command(root, "check").returncode == ticket.REFUSED
    assert json.loads(command(root, "show").stdout)["state"] == "voided"


def test_could_not_tell_has_the_exit_code_that_systemd_retries(tmp_path: Path) -> None:
    root = tmp_path / "host"
    p.build_host(root)
    (root / "etc/golive/arm/seen").write_text("2999-01-01T00:00:00Z")
    later = ticket.encode(p.make_ticket(not_before="2998-01-01T00:00:00Z", expires="2999-01-01T00:00:00Z"))
    refused = command(root, "install", "--from", p.deliver(tmp_path / "delivered", later))
    assert (refused.returncode, "clock" in refused.stderr) == (ticket.COULD_NOT_TELL, True)


def test_showing_changes_nothing(tmp_path: Path) -> None:
    armed(tmp_path)

    def state() -> dict[str, tuple[int, int]]:
        return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in sorted((tmp_path / "host").rglob("*"))}

    before = state()
    assert command(tmp_path / "host", "show").returncode == 0
    assert state() == before
