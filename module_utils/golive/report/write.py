"""Where do the reports of a run go? Beside its records, 0600, each whole or not at all."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ..errors import GoliveError
from ..rundir import write_atomic
from . import html, json_report, junit, oscal, prom
from .model import Report

WRITERS: dict[str, Callable[[Report], str]] = {
    "report.json": json_report.text, "report.html": html.text, "junit.xml": junit.text, "golive.prom": prom.text, "oscal.json": oscal.text}
"""Every format by its file name. Each takes the report and returns the whole text, or raises GoliveError."""


def write(report: Report, folder: Path, only: tuple[str, ...] = ()) -> list[Path]:
    """Write every format (or `only` those named) into `folder` and return the paths.

    A format that cannot be made takes no other with it: the rest is written, its old file stays, and GoliveError says which.
    """
    texts: dict[str, str] = {}
    failed: list[GoliveError] = []
    for name, make in WRITERS.items():
        if only and name not in only:
            continue
        try:
            texts[name] = make(report)
        except GoliveError as exc:
            failed.append(exc)
    written = [put(folder / name, text) for name, text in texts.items()]
    if failed:
        raise failed[0]
    return written


def put(path: Path, text: str) -> Path:
    """Replace one file atomically, readable by its owner only. Raises GoliveError where the directory refuses."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as exc:
        raise GoliveError("cannot be made", where=str(path.parent), found=exc.strerror,
                          todo="free space or mend the permissions and run again") from None
    write_atomic(path, text.encode("utf-8"))
    return path
