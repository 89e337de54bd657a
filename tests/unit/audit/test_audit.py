"""No line of the audit chain can be changed, taken away or moved unseen."""
from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from golive import audit, canonical
from golive.audit import AuditError, AuditLog, Head, check, parse_head
from hypothesis import given
from hypothesis import strategies as st


def chain(count: int) -> list[bytes]:
    """Return the raw lines of a chain, without a disk."""
    lines, prev = [], audit.GENESIS
    for seq in range(1, count + 1):
        line: dict[str, Any] = {"seq": seq, "at": "2026-11-21T10:15:00Z", "run": "r", "actor": "anna", "act": f"act.{seq % 3}",
                                "subject": "bot", "detail": {"n": seq}, "prev": prev}
        line["hash"] = prev = audit.line_hash(line)
        lines.append(canonical.encode(line))
    return lines


def joined(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def head_of(lines: list[bytes]) -> Head:
    return check(joined(lines)).head


def log_with(tmp_path: Path, count: int) -> AuditLog:
    log = AuditLog(str(tmp_path / "audit.jsonl"))
    for number in range(count):
        log.append(run="r1", actor="anna", act="arm.begin", subject="bot", detail={"n": number})
    return log


def test_appended_lines_hold_and_the_head_is_the_last_one(tmp_path: Path) -> None:
    log = log_with(tmp_path, 3)
    verified = log.verify()
    assert [line["seq"] for line in verified.lines] == [1, 2, 3]
    assert verified.head == log.head() == parse_head(str(log.head()))
    assert os.stat(log.path).st_mode & 0o777 == 0o600


@given(count=st.integers(1, 8), data=st.data())
def test_any_changed_byte_is_seen(count: int, data: st.DataObject) -> None:
    raw = bytearray(joined(chain(count)))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(AuditError):
        check(bytes(raw), [head_of(chain(count))])


@given(count=st.integers(2, 8), data=st.data())
def test_a_removed_line_is_seen_and_the_last_one_by_a_carried_head(count: int, data: st.DataObject) -> None:
    lines = chain(count)
    head = head_of(lines)
    at = data.draw(st.integers(0, count - 1))
    del lines[at]
    with pytest.raises(AuditError, match="cut off" if at == count - 1 else "removed, added or moved"):
        check(joined(lines), [head])


@given(count=st.integers(2, 8), data=st.data())
def test_reordered_lines_are_seen(count: int, data: st.DataObject) -> None:
    lines = chain(count)
    order = data.draw(st.permutations(range(count)).filter(lambda p: list(p) != list(range(count))))
    with pytest.raises(AuditError, match="removed, added or moved"):
        check(joined([lines[i] for i in order]))


@given(count=st.integers(1, 8), data=st.data())
def test_a_doubled_line_is_seen(count: int, data: st.DataObject) -> None:
    lines = chain(count)
    at = data.draw(st.integers(0, count - 1))
    with pytest.raises(AuditError, match="removed, added or moved"):
        check(joined([*lines[: at + 1], *lines[at:]]))


@given(count=st.integers(1, 8), data=st.data())
def test_truncation_at_any_byte_is_seen_with_a_carried_head(count: int, data: st.DataObject) -> None:
    lines = chain(count)
    raw = joined(lines)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(AuditError, match=r"cut off|half written"):
        check(raw[:cut], [head_of(lines)])


@given(count=st.integers(1, 6), at=st.integers(0, 5))
def test_a_chain_computed_anew_is_seen_by_a_carried_head(count: int, at: int) -> None:
    at %= count
    lines = chain(count)
    head = head_of(lines)
    forged, prev = lines[:at], (json.loads(lines[at - 1])["hash"] if at else audit.GENESIS)
    for raw in lines[at:]:
        line = {**json.loads(raw), "actor": "mallory", "prev": prev}
        line["hash"] = prev = audit.line_hash(line)
        forged.append(canonical.encode(line))
    assert check(joined(forged)).head.seq == count, "the forgery is consistent in itself"
    with pytest.raises(AuditError, match="written anew"):
        check(joined(forged), [head])


def test_an_older_head_lies_on_a_longer_chain() -> None:
    check(joined(chain(5)), [head_of(chain(2)), head_of(chain(5)), Head(0, audit.GENESIS)])


def test_the_same_content_in_another_spelling_is_refused() -> None:
    line = json.loads(chain(1)[0])
    with pytest.raises(AuditError, match="one form"):
        check(json.dumps(line).encode() + b"\n")


@pytest.mark.parametrize("field", audit.FIELDS)
def test_a_line_without_one_of_its_fields_is_refused(field: str) -> None:
    line = json.loads(chain(1)[0])
    del line[field]
    with pytest.raises(AuditError, match="one form"):
        check(canonical.encode(line) + b"\n")


def test_a_half_written_last_line_blocks_until_it_is_repaired_and_the_repair_is_recorded(tmp_path: Path) -> None:
    log = log_with(tmp_path, 2)
    before = log.head()
    with open(log.path, "ab") as handle:
        handle.write(b'{"act":"arm.be')
    with pytest.raises(AuditError, match="half written"):
        log.verify()
    with pytest.raises(AuditError, match="half written"):
        log.append(run="r1", actor="anna", act="x", subject="y")
    log.repair(run="r2", actor="anna")
    last = log.verify([before]).lines[-1]
    assert (last["act"], last["actor"], last["detail"]["removed_bytes"], last["detail"]["after_line"]) == (audit.REPAIR, "anna", 14, 2)
    assert log.repair(run="r3", actor="anna") is None, "a second repair has nothing to do"


def test_a_repair_does_not_touch_a_chain_that_does_not_hold_before_its_torn_end(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    lines = chain(3)
    raw = joined([lines[1], lines[0]]) + lines[2][:5]
    path.write_bytes(raw)
    path.chmod(0o600)
    with pytest.raises(AuditError, match="removed, added or moved"):
        AuditLog(str(path)).repair(run="r", actor="a")
    assert path.read_bytes() == raw


def test_a_full_disk_leaves_no_half_line_and_says_that_nothing_was_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_with(tmp_path, 1)
    real_write = os.write
    monkeypatch.setattr(audit.os, "write", lambda handle, data: real_write(handle, data[:10]))
    with pytest.raises(AuditError, match="nothing was done"):
        log.append(run="r", actor="a", act="b", subject="c")
    monkeypatch.undo()
    assert log.head().seq == 1


def test_a_failed_sync_is_a_failed_append(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = log_with(tmp_path, 1)

    def broken(_handle: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(audit.os, "fsync", broken)
    with pytest.raises(AuditError, match="Input/output error"):
        log.append(run="r", actor="a", act="b", subject="c")
    monkeypatch.undo()
    assert log.head().seq == 1


def test_an_edited_last_line_stops_the_next_append(tmp_path: Path) -> None:
    log = log_with(tmp_path, 2)
    path = Path(log.path)
    path.write_bytes(path.read_bytes().replace(b'"n":1', b'"n":7'))
    with pytest.raises(AuditError, match="edited"):
        log.append(run="r", actor="a", act="b", subject="c")


def test_a_link_in_place_of_the_chain_is_refused(tmp_path: Path) -> None:
    real = log_with(tmp_path, 1)
    link = tmp_path / "link.jsonl"
    link.symlink_to(real.path)
    for attempt in (lambda: AuditLog(str(link)).verify(), lambda: AuditLog(str(link)).append(run="r", actor="a", act="b", subject="c")):
        with pytest.raises(AuditError, match="plain file"):
            attempt()


def test_a_chain_that_others_may_write_is_refused(tmp_path: Path) -> None:
    log = log_with(tmp_path, 1)
    Path(log.path).chmod(0o666)
    with pytest.raises(AuditError, match="may be written by others"):
        log.verify()


def test_long_last_lines_are_found_whole(tmp_path: Path) -> None:
    log = log_with(tmp_path, 1)
    log.append(run="r", actor="a", act="b", subject="c", detail={"text": "x" * 200_000})
    assert log.append(run="r", actor="a", act="b", subject="c").seq == 3
    assert log.verify().head.seq == 3


def _append_many(path: str) -> None:
    for _ in range(20):
        AuditLog(path).append(run="r", actor="a", act="b", subject="c")


def test_two_writers_at_once_keep_one_chain(tmp_path: Path) -> None:
    path = str(tmp_path / "audit.jsonl")
    workers = [multiprocessing.get_context("fork").Process(target=_append_many, args=(path,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert AuditLog(path).head().seq == 40


@pytest.mark.parametrize("text", ["", "1", "x:sha256:" + "0" * 64, "1:sha256:zz", "-1:sha256:" + "0" * 64, "1:" + "0" * 64])
def test_a_malformed_head_is_refused(text: str) -> None:
    with pytest.raises(AuditError, match="not a head"):
        parse_head(text)


def test_the_command_line_verifies_against_heads_of_a_file_and_of_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = log_with(tmp_path, 2)
    heads = tmp_path / "heads"
    heads.write_text(f"{log.head()}\n")
    assert audit.main(["verify", log.path, "--heads", str(heads)]) == 0
    raw = Path(log.path).read_bytes().splitlines(keepends=True)
    Path(log.path).write_bytes(raw[0])
    assert audit.main(["verify", log.path]) == 0, "without a head a cut end cannot be seen"
    assert "cannot be seen" in capsys.readouterr().err
    assert audit.main(["verify", log.path, "--head", heads.read_text().strip()]) == 1
    assert "cut off" in capsys.readouterr().err
    assert audit.main(["verify", str(tmp_path / "none")]) == 1
