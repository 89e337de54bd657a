"""Would what a dry run predicts put back, byte for byte, what a ticket was signed for? Then the ticket stays, and nobody signs again.

A host whose release or configuration was changed behind golive's back holds another subject than its ticket names. The real run puts it
back before it drafts, and finds the ticket to say the same; a dry run has to know that from the predictions alone. Controller only.
"""
from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from .canonical import parse_utc
from .rundir import RunDir

# A ticket names these by digest: what deploy would change here makes another ticket, or puts back what was signed.
RELEASES, LINK, CONFIG = "release:/opt/bot/releases/", "link:/opt/bot/current", "file:/etc/bot/live.json"
PARTS = ("artifact", "tree", "config")
EARLIER = timedelta(seconds=5)  # a draft's not_before lies this much before it was written


def of_subject(changes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the predicted changes to what a ticket names by digest."""
    return [one for one in changes if str(one["object"]).startswith(("release:/opt/bot/", LINK, CONFIG))]


def as_signed(changes: Iterable[Mapping[str, Any]], signed: Mapping[str, Any], reports: Path, host: str) -> bool:
    """Return whether each predicted change to the subject ends where the ticket `signed` (parsed) found it.

    A link and a release say so by their digests. A configuration is signed without its stage limits, so its text is compared with the last
    one that golive itself had written there, by the records of the real runs, when the ticket was drafted. Not known is no.
    """
    release = signed["release"]
    folder = release["artifact"].partition(":")[2]
    ends = {LINK: f"-> releases/{folder}", f"{RELEASES}{folder}": release["tree"]}
    found = {str(one["object"]): one.get("after") for one in changes}
    if CONFIG in found:
        ends[CONFIG] = written(reports, host, CONFIG, signed["not_before"])
    return all(after is not None and after == ends.get(name) for name, after in found.items())


def written(reports: Path, host: str, name: str, drafted: str) -> str | None:
    """Return what the last real run before a draft (its not_before) wrote as an object, as its change record says; None if none did."""
    until, last = parse_utc(drafted) + EARLIER, None
    for folder in sorted(path for path in reports.iterdir() if path.is_dir() and not path.is_symlink()):
        for one in RunDir(folder).lines("changes.jsonl"):
            if not one["check"] and (one["host"], one["object"]) == (host, name) and parse_utc(one["at"]) <= until:
                last = one.get("after")
    return last
