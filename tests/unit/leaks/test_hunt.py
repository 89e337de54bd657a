"""A host is searched with keyed hashes: what is there is found in each spelling, what is allowed is not a finding, a gap is."""
from __future__ import annotations

import base64
import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from golive.errors import GoliveError
from golive.leaks import hunt
from golive.leaks.index import Index

SECRET = "kQ9x7LpA+w3/ZzR1mV0nT5yB8cD2eF6gH4iJqKsU"
NAME = "vault:kv/x/live#key"
NOTHING = {"paths": [], "journal": False, "processes": False, "images": [], "containers": [], "allowed": []}


def searched(**more: object) -> dict[str, object]:
    return hunt.perform({**NOTHING, "indexes": [Index.build({NAME: SECRET}).dump()], **more})


def test_a_core_dump_in_a_compressed_backup_is_found_by_its_place(tmp_path: Path) -> None:
    (tmp_path / "core.1.gz").write_bytes(gzip.compress(b"\0" * 5000 + SECRET.encode() + b"\0" * 5000))
    (tmp_path / "log").write_text("secret: " + base64.b64encode(SECRET.encode()).decode())
    found = searched(paths=[str(tmp_path)])
    assert len(found["found"]) == 2  # type: ignore[arg-type]
    assert SECRET not in json.dumps(found)
    assert NAME in json.dumps(found)


def test_where_it_lies_lawfully_is_counted_and_no_finding(tmp_path: Path) -> None:
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/key").write_text(SECRET)
    found = searched(paths=[str(tmp_path)], allowed=[f"{tmp_path}/credentials/*"])
    assert (found["found"], found["allowed"]) == ([], 1)


def test_arguments_of_a_process_are_searched(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", SECRET], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        found = searched(processes=True)
        assert any(f"process {process.pid} cmdline" in one for one in found["found"])  # type: ignore[attr-defined]
    finally:
        process.kill()
        process.communicate()


def test_a_search_with_a_gap_is_not_clean(tmp_path: Path) -> None:
    (tmp_path / "broken.gz").write_bytes(gzip.compress(b"x" * 4000)[:-20])
    assert searched(paths=[str(tmp_path)])["unread"] != []


@pytest.mark.parametrize("more", [{}, {"indexes": ["{}"], "paths": ["/etc/hostname"]}])
def test_nothing_searched_and_no_index_are_told(more: dict[str, object]) -> None:
    with pytest.raises(GoliveError):
        searched(**more)
