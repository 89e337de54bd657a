"""logs: lines that match, secrets that stand in them in any form, and whether the stream is silent."""
from __future__ import annotations

import glob
import gzip
import json
import os
import re
from datetime import datetime, timezone
from typing import IO, Any, Dict, Iterator, List, Optional, Tuple, cast

from ..canonical import parse_utc
from ..errors import GoliveError, Undecided
from ..leaks.index import Index, is_index
from .look import Look, Observed

WITNESS = "golive"
DEADLINE_S = 60
ASK = {
    "glob": "str; required; log files, also rotated ones (.gz)",
    "patterns": "list of str; optional; regular expressions that no line may match",
    "except": "list of str; optional; regular expressions of lines that are known and declared",
    "secrets": "list of str; optional; references to secrets that must stand in no line; index:<reference> sends keyed hashes only",
    "window_s": "number; optional; seconds back from now; a line without a time belongs to the one before",
}
FACTS = {
    "files": "int; files that were read",
    "lines": "int; lines within the window",
    "matches": "int; lines that match a pattern and no exception",
    "matched": "list of str; file, line and pattern of the first of them (never the line's text)",
    "excepted": "int; lines that matched and are declared",
    "secret_matches": "int; lines that hold a secret in any spelling that leaks/spellings.py knows, or half of a random one",
    "secret_places": "list of str; file and line",
    "unreadable": "list of str; files that could not be read to their end",
    "last_line_age_s": "number; seconds since the newest line with a time",
}
_SHOWN = 20
_FULL_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d")


def observe(ask: Dict[str, Any], look: Look) -> Observed:
    """Read all files of the window; opportunities are the lines that were read."""
    forbidden, known = _compiled(ask.get("patterns")), _compiled(ask.get("except"))
    secrets = indexes([look.secret(reference) for reference in ask.get("secrets") or []])
    paths = sorted(path for path in glob.glob(ask["glob"]) if os.path.isfile(path))
    if not paths:
        raise Undecided("no log file matches %s on %s" % (ask["glob"], look.host))
    now = look.now().timestamp()
    since = now - float(ask["window_s"]) if ask.get("window_s") is not None else 0.0
    seen: Dict[str, Any] = {"lines": 0, "matches": 0, "excepted": 0, "secret_matches": 0}
    matched: List[str] = []
    places: List[str] = []
    unreadable: List[str] = []
    newest: Optional[float] = None
    for path in paths:
        try:
            for number, line, at in _lines(path, since):
                seen["lines"] += 1
                newest = at if at is not None and (newest is None or at > newest) else newest
                hit = next((pattern for pattern in forbidden if pattern.search(line)), None)
                if hit is not None and any(pattern.search(line) for pattern in known):
                    seen["excepted"] += 1
                elif hit is not None:
                    seen["matches"] += 1
                    matched.append("%s:%d %s" % (path, number, hit.pattern))
                if any(True for index in secrets for _ in index.search(line.encode("utf-8", "replace"))):
                    seen["secret_matches"] += 1
                    places.append("%s:%d" % (path, number))
        except (OSError, EOFError) as exc:
            unreadable.append("%s (%s)" % (path, type(exc).__name__))
    facts = {**seen, "files": len(paths), "matched": matched[:_SHOWN], "secret_places": places[:_SHOWN], "unreadable": unreadable}
    if newest is not None:
        facts["last_line_age_s"] = round(max(0.0, now - newest), 3)
    return Observed(facts, opportunities=seen["lines"])


def indexes(values: List[str]) -> List[Index]:
    """Return what searches for these secrets: each value is an index already, or a secret that is put into one, in memory."""
    plain = {str(number): value for number, value in enumerate(values) if not is_index(value)}
    try:
        return [Index.load(value) for value in values if is_index(value)] + ([Index.build(plain)] if plain else [])
    except ValueError as exc:
        raise Undecided(str(exc)) from None


def _compiled(patterns: Any) -> List[re.Pattern[str]]:
    try:
        return [re.compile(one) for one in patterns or []]
    except (re.error, TypeError) as exc:
        raise Undecided("a pattern is no regular expression: %s" % exc) from None


def _lines(path: str, since: float) -> Iterator[Tuple[int, str, Optional[float]]]:
    """Yield number, text and time of the lines that are not older than `since`; a line without a time follows the one before."""
    if os.stat(path).st_mtime < since:
        return
    inside, at = True, None
    with _open(path) as handle:
        for number, raw in enumerate(handle, 1):
            line = raw[:65536].decode("utf-8", "replace")
            told = when(line)
            if told is not None:
                at, inside = told, told >= since
            if inside and line.strip():
                yield number, line, at


def _open(path: str) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb")) if path.endswith(".gz") else open(path, "rb")


def when(line: str) -> Optional[float]:
    """Return the time of a line: its JSON field `at`, or an ISO time at its beginning, in UTC. None: it tells none."""
    if line.startswith("{"):
        try:
            entry = json.loads(line)
            return parse_utc(entry["at"]).timestamp()
        except (ValueError, KeyError, TypeError, RecursionError, GoliveError):
            return None
    match = _FULL_TIME.match(line[:40])
    if match is None:
        return None
    try:
        return datetime.strptime(match.group(0).replace("T", " "), "%Y-%m-%d %H:%M:%S").replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        return None
