"""Logs: what must not stand in them is found in every spelling; what could not be read is said."""
from __future__ import annotations

import base64
import gzip
import json
import urllib.parse
from pathlib import Path
from typing import Any

import pytest
from golive.errors import Undecided
from golive.leaks.index import Index
from golive.probes import logs

from .fake_look import FakeLook

SECRET = 'kQ+/x="9Zr\\7Tb=='
REFERENCE = "vault:kv/bot/key#value"


def observe(folder: Path, **ask: Any) -> Any:
    look = FakeLook(secrets={REFERENCE: json.dumps({"key": "SANDBOXabcdef", "secret": SECRET})})
    return logs.observe({"glob": str(folder / "*.log*"), **ask}, look)  # type: ignore[arg-type]


def line(at: str, text: str) -> str:
    return json.dumps({"at": at, "message": text}) + "\n"


SPELLINGS = [SECRET, urllib.parse.quote(SECRET, safe=""), urllib.parse.quote_plus(SECRET), base64.b64encode(SECRET.encode()).decode(),
             json.dumps(SECRET)[1:-1], "SANDBOXabcdef"]  # fmt: skip


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_secret_is_found_in_every_spelling_and_not_repeated(tmp_path: Path, spelling: str) -> None:
    (tmp_path / "a.log").write_text("2026-11-21T11:59:00Z all good\n2026-11-21T11:59:30Z auth failed for " + spelling + "!\n")
    facts = observe(tmp_path, secrets=[REFERENCE]).facts
    assert facts["secret_matches"] == 1
    assert facts["secret_places"] == [f"{tmp_path}/a.log:2"]
    assert spelling not in json.dumps(facts)


def test_a_host_that_gets_an_index_finds_the_secret_without_knowing_it(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("2026-11-21T11:59:00Z all good\n2026-11-21T11:59:30Z auth failed for " + SECRET[::-1] + "!\n")
    dumped = Index.build({REFERENCE: SECRET}).dump()
    assert SECRET not in dumped
    look = FakeLook(secrets={"index:" + REFERENCE: dumped})
    facts = logs.observe({"glob": str(tmp_path / "*.log"), "secrets": ["index:" + REFERENCE]}, look).facts  # type: ignore[arg-type]
    assert facts["secret_places"] == [f"{tmp_path}/a.log:2"]


def test_a_rotated_and_compressed_file_is_read_too(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.log.1.gz", "wt") as handle:
        handle.write("2026-11-21T11:58:00Z Traceback (most recent call last)\n")
    (tmp_path / "a.log").write_text("2026-11-21T11:59:00Z fine\n")
    facts = observe(tmp_path, patterns=["Traceback"]).facts
    assert (facts["files"], facts["matches"], facts["lines"]) == (2, 1, 2)


def test_only_the_window_counts_and_a_trace_belongs_to_its_line(tmp_path: Path) -> None:
    old, new = line("2026-11-21T10:00:00Z", "old"), line("2026-11-21T11:59:00Z", "new")
    (tmp_path / "a.log").write_text(old + "Traceback old\n" + new + "Traceback\n")
    observed = observe(tmp_path, patterns=["Traceback"], window_s=3600)
    assert (observed.facts["matches"], observed.opportunities, observed.facts["last_line_age_s"]) == (1, 2, 60.0)


def test_declared_lines_are_counted_apart(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("CRITICAL known thing\nCRITICAL new thing\n")
    facts = observe(tmp_path, patterns=["CRITICAL"], **{"except": ["known thing"]}).facts
    assert (facts["matches"], facts["excepted"]) == (1, 1)


def test_no_file_a_bad_pattern_and_a_short_secret_are_undecided(tmp_path: Path) -> None:
    with pytest.raises(Undecided, match="no log file"):
        observe(tmp_path)
    (tmp_path / "a.log").write_text("x\n")
    with pytest.raises(Undecided, match="regular expression"):
        observe(tmp_path, patterns=["("])
    with pytest.raises(Undecided, match="shorter"):
        logs.indexes(["abc"])
    with pytest.raises(Undecided, match="not delivered"):
        observe(tmp_path, secrets=["vault:kv/other#x"])


def test_a_file_that_breaks_off_is_unreadable_not_clean(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "a.log.1.gz", "wt") as handle:
        handle.write("x\n" * 5000)
    whole = (tmp_path / "a.log.1.gz").read_bytes()
    (tmp_path / "a.log.1.gz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "b.log.2.gz").write_bytes(b"not gzip")
    assert len(observe(tmp_path).facts["unreadable"]) == 2


HOSTILE = [b"\xff\xfe\x00\n", b"{" * 70000 + b"\n", b'{"at": 5}\n', b'{"at": "yesterday"}\n', b"9999-99-99T99:99:99 x\n"]


@pytest.mark.parametrize("content", HOSTILE)
def test_hostile_lines_are_read_as_lines(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.log").write_bytes(content)
    assert observe(tmp_path, patterns=["never"]).facts["lines"] == 1
