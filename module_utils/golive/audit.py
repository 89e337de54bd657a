"""The audit chain of one system: who did what, written before it is done, so that no line can be changed unseen.

One file a system (`reports/<system>/audit.jsonl`), one canonical JSON line an act, each line naming the hash of the one
before. The chain alone shows edits, removals in the middle and reordering; a cut end or a chain that was computed anew
is shown by heads (`SEQ:sha256:HEX`) that were carried away: in signed tickets and envelopes, and on the `guard` host.
"""
from __future__ import annotations

import argparse
import fcntl
import json
import os
import stat
import sys
from contextlib import contextmanager
from typing import Any, Dict, Iterable, Iterator, List, NamedTuple, Optional, Tuple

from . import canonical
from .errors import GoliveError

GENESIS = "sha256:" + "0" * 64
FIELDS = ("seq", "at", "run", "actor", "act", "subject", "detail", "prev", "hash")
REPAIR = "audit.repair"


class AuditError(GoliveError):
    """The audit chain cannot be trusted or cannot be written; whoever wanted to act must not."""


class Head(NamedTuple):
    """The newest line of a chain at some moment: its number (from 1; 0 = empty chain) and its hash."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return "%d:%s" % (self.seq, self.hash)


class Chain(NamedTuple):
    """A chain that was read and holds: its lines in order, and its head."""

    lines: List[Dict[str, Any]]
    head: Head


def parse_head(text: str) -> Head:
    """Return the head written as `SEQ:sha256:HEX`. Raises AuditError for every other form."""
    number, _, line_hash = str(text).partition(":")
    if not (number.isascii() and number.isdigit() and _is_digest(line_hash)):
        raise AuditError("not a head of an audit chain", found=repr(text)[:100], expected="SEQ:sha256:HEX")
    return Head(int(number), line_hash)


def line_hash(line: Dict[str, Any]) -> str:
    """Return the hash that a line must carry: over its canonical form without `hash`."""
    return canonical.digest({name: value for name, value in line.items() if name != "hash"})


def check(data: bytes, heads: Iterable[Head] = (), where: str = "audit chain") -> Chain:
    """Return the chain if every byte of it holds and every carried head lies on it; raise AuditError otherwise.

    The error names the first line that does not hold and what that means.
    """
    whole, tail = _split(data)
    if tail:
        raise AuditError("the last line (%d) is half written, %d bytes without an end" % (len(whole) + 1, len(tail)), where=where,
                         todo="a crash does this; look at it, then run: python -m golive.audit repair PATH --actor YOU")
    lines: List[Dict[str, Any]] = []
    head = Head(0, GENESIS)
    for number, raw in enumerate(whole, start=1):
        line = _parse(raw, number, where)
        if line["hash"] != line_hash(line):
            raise AuditError("line %d was edited: its content does not give its hash" % number, where=where)
        if line["seq"] != number or line["prev"] != head.hash:
            raise AuditError("line %d does not follow line %d: a line was removed, added or moved" % (number, number - 1),
                             where=where, found="seq %s after %s" % (line["seq"], line["prev"][:19]),
                             expected="seq %d after %s" % (number, head.hash[:19]))
        lines.append(line)
        head = Head(number, line["hash"])
    for carried in heads:
        _check_head(lines, carried, where)
    return Chain(lines, head)


class AuditLog:
    """The audit file of one system. Appending takes a lock, writes one line and syncs it to disk before it returns."""

    def __init__(self, path: str) -> None:
        self.path = path

    def append(self, *, run: str, actor: str, act: str, subject: str, detail: Optional[Dict[str, Any]] = None) -> Head:
        """Write one line and return the new head. Raises AuditError when the line is not safely on disk.

        `detail` holds digests and short facts, never a secret.
        """
        with self._locked() as handle:
            return self._write(handle, {"run": run, "actor": actor, "act": act, "subject": subject, "detail": detail or {}})

    def verify(self, heads: Iterable[Head] = ()) -> Chain:
        """Return the whole chain, or raise AuditError with what is wrong. A missing file is an empty chain."""
        return check(self._read(), heads, self.path)

    def head(self) -> Head:
        """Return the head after verifying the whole chain."""
        return self.verify().head

    def repair(self, *, run: str, actor: str) -> Optional[Head]:
        """Take away a half-written last line, write down that this was done, and return the new head (None: nothing to do).

        Only the end without a line break is touched: its act was never begun, because acts wait for the written line.
        Everything before it must hold, or AuditError is raised and nothing is changed.
        """
        with self._locked() as handle:
            data = _all(handle)
            whole, tail = _split(data)
            if not tail:
                return None
            kept = len(data) - len(tail)
            check(data[:kept], (), self.path)
            os.ftruncate(handle, kept)
            os.fsync(handle)
            detail = {"removed_bytes": len(tail), "removed_digest": canonical.digest(tail), "after_line": len(whole)}
            return self._write(handle, {"run": run, "actor": actor, "act": REPAIR, "subject": "half-written last line", "detail": detail})

    def _write(self, handle: int, content: Dict[str, Any]) -> Head:
        last = self._last(handle)
        line: Dict[str, Any] = {"seq": last.seq + 1, "at": canonical.utc(), "prev": last.hash, **content}
        for name in ("run", "actor", "act", "subject"):
            if not isinstance(line[name], str) or not line[name]:
                raise AuditError("an audit line needs a text", where=name, found=repr(line[name])[:60])
        line["hash"] = line_hash(line)
        data = canonical.encode(line) + b"\n"
        before = os.fstat(handle).st_size
        try:
            if os.write(handle, data) != len(data):
                raise OSError("only part of the line was written (is the disk full?)")
            os.fsync(handle)
        except OSError as exc:
            os.ftruncate(handle, before)  # a line that is not safe must not look as if it were
            raise AuditError("the line could not be written: %s" % (exc.strerror or exc), where=self.path,
                             todo="nothing was done; make the disk writable and run again") from None
        return Head(line["seq"], line["hash"])

    def _last(self, handle: int) -> Head:
        """Return the head by the last line alone: appending stays cheap, verifying is a separate, whole act."""
        size = os.fstat(handle).st_size
        block = 1 << 16
        while True:
            start = max(0, size - block)
            data = os.pread(handle, size - start, start)
            if not data:
                return Head(0, GENESIS)
            if not data.endswith(b"\n"):
                raise AuditError("the last line is half written", where=self.path,
                                 todo="look at it, then run: python -m golive.audit repair PATH --actor YOU")
            cut = data.rfind(b"\n", 0, len(data) - 1)
            if cut >= 0 or start == 0:
                line = _parse(data[cut + 1:-1], 0, self.path)
                if line["hash"] != line_hash(line):
                    raise AuditError("the last line was edited: its content does not give its hash", where=self.path)
                return Head(line["seq"], line["hash"])
            block *= 4

    def _read(self) -> bytes:
        try:
            handle = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        except OSError as exc:
            raise AuditError("cannot be read: %s" % exc.strerror, where=self.path,
                             todo="the audit chain must be a plain file, not a link") from None
        try:
            self._check_file(handle)
            return _all(handle)
        finally:
            os.close(handle)

    @contextmanager
    def _locked(self) -> Iterator[int]:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise AuditError("cannot be opened for writing: %s" % exc.strerror, where=self.path,
                             todo="the audit chain must be a plain file in a directory that exists and is writable") from None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            self._check_file(handle)
            if os.fstat(handle).st_size == 0:
                _sync_directory(self.path)
            yield handle
        finally:
            os.close(handle)

    def _check_file(self, handle: int) -> None:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            raise AuditError("is not a plain file", where=self.path)
        if status.st_mode & 0o022 or status.st_uid not in (0, os.geteuid()):
            raise AuditError("may be written by others", where=self.path, expected="our own, 0600",
                             found="owner %d, mode %04o" % (status.st_uid, status.st_mode & 0o7777),
                             todo="find out who could have changed it before you trust it")


def _check_head(lines: List[Dict[str, Any]], carried: Head, where: str) -> None:
    if carried.seq > len(lines):
        raise AuditError("the end was cut off: a head was carried away from line %d, the chain has %d lines"
                         % (carried.seq, len(lines)), where=where)
    found = GENESIS if carried.seq == 0 else lines[carried.seq - 1]["hash"]
    if found != carried.hash:
        raise AuditError("the chain was written anew: line %d is not the one whose head was carried away" % carried.seq, where=where,
                         found=found[:19], expected=carried.hash[:19])


def _parse(raw: bytes, number: int, where: str) -> Dict[str, Any]:
    name = "line %d" % number if number else "the last line"
    try:
        line = json.loads(raw.decode("utf-8"))
        same = canonical.encode(line) == raw
    except (ValueError, GoliveError, RecursionError):
        line, same = None, False
    if not same or not isinstance(line, dict) or set(line) != set(FIELDS):
        raise AuditError("%s is not an audit line in its one form" % name, where=where)
    texts = all(isinstance(line[key], str) for key in ("at", "run", "actor", "act", "subject"))
    digests = _is_digest(line["prev"]) and _is_digest(line["hash"])
    if not (texts and digests and type(line["seq"]) is int and isinstance(line["detail"], dict)):
        raise AuditError("%s has fields of a wrong type" % name, where=where)
    return line


def _is_digest(text: Any) -> bool:
    return isinstance(text, str) and len(text) == 71 and text.startswith("sha256:") and set(text[7:]) <= set("0123456789abcdef")


def _split(data: bytes) -> Tuple[List[bytes], bytes]:
    parts = data.split(b"\n")
    return parts[:-1], parts[-1]


def _all(handle: int) -> bytes:
    os.lseek(handle, 0, os.SEEK_SET)
    blocks: List[bytes] = []
    while True:
        block = os.read(handle, 1 << 20)
        if not block:
            return b"".join(blocks)
        blocks.append(block)


def _sync_directory(path: str) -> None:
    handle = os.open(os.path.dirname(os.path.abspath(path)), os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def main(argv: Optional[List[str]] = None) -> int:
    """`python -m golive.audit verify|repair|head`: exit 0 holds, 1 does not hold, 2 wrong use."""
    parser = argparse.ArgumentParser(prog="python -m golive.audit", description="Verify the audit chain of a system.")
    commands = parser.add_subparsers(dest="command", required=True)
    verify = commands.add_parser("verify", help="does every line hold, and does the chain hold the heads that were carried away?")
    verify.add_argument("path")
    verify.add_argument("--head", action="append", default=[], metavar="SEQ:HASH",
                        help="a head carried away in a signed text; may be given again")
    verify.add_argument("--heads", metavar="FILE", help="a file with one head a line, as kept on the guard host")
    head = commands.add_parser("head", help="print the head of a chain that holds")
    head.add_argument("path")
    repair = commands.add_parser("repair", help="take away a half-written last line and write down that this was done")
    repair.add_argument("path")
    repair.add_argument("--actor", required=True, help="who does this")
    args = parser.parse_args(argv)
    try:
        if not os.path.exists(args.path):
            raise AuditError("there is no such audit chain", where=args.path)
        log = AuditLog(args.path)
        if args.command == "repair":
            new = log.repair(run="-", actor=args.actor)
            print("nothing to repair" if new is None else "repaired, head %s" % (new,))
            return 0
        if args.command == "head":
            print(log.head())
            return 0
        heads = [parse_head(text) for text in args.head]
        if args.heads:
            with open(args.heads, encoding="utf-8") as handle:
                heads += [parse_head(text.strip()) for text in handle if text.strip()]
        chain = log.verify(heads)
        print("holds: %d lines, %d carried heads lie on it, head %s" % (len(chain.lines), len(heads), chain.head))
        if not heads:
            print("no head was given: a cut end or a chain computed anew cannot be seen without one", file=sys.stderr)
        return 0
    except (GoliveError, OSError) as exc:
        print("audit: %s" % exc, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
