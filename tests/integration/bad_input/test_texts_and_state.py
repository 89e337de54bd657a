"""Hostile text from a probe stays text; state that a crash cut in half is mended or named; a role's wrong variable is one sentence."""
from __future__ import annotations

import json
import os
import subprocess
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml

from .conftest import Mini, says, untouched

pytestmark = pytest.mark.timeout(1200)


def test_hostile_text_is_never_run_never_markup_and_never_a_terminal_code(mini: Mini, tmp_path: Path) -> None:
    mark = tmp_path / "it-ran"
    jinja = f"{{{{ lookup('pipe', 'touch {mark}') }}}}{{% set x = 1 %}}"
    hostile = jinja + "<script>alert(1)</script>\x1b[2J\x1b]0;title\x07 ]]> & 'quoted' \u202e"
    mini.number("middle.holds", hostile)
    done = mini.run("-vvv")
    assert done.returncode == 2
    assert not mark.exists()
    assert "\x1b[2J" not in done.stdout + done.stderr
    assert "\x1b]0;" not in done.stdout + done.stderr
    latest = mini.path / "reports/slice/latest"
    page = (latest / "report.html").read_text()
    assert "<script>alert" not in page
    assert "alert(1)" in page, "the text is shown, as text"
    assert "\x1b" not in page
    ElementTree.parse(latest / "junit.xml")
    for name in ("report.json", "oscal.json"):
        json.loads((latest / name).read_text())
    assert all(line.startswith(("#", "golive_")) for line in (latest / "golive.prom").read_text().splitlines() if line)
    verdicts = {one["control"]: one["verdict"] for one in mini.latest("verify/gate.json")["verdicts"]}
    assert verdicts["middle.holds"] == "undecided"


def test_half_written_state_of_a_crash_is_mended_or_left_aside_and_nothing_of_it_is_lost(mini: Mini) -> None:
    assert mini.run().returncode == 0
    reports = mini.path / "reports/slice"
    lines = (reports / "audit.jsonl").read_bytes()
    with (reports / "audit.jsonl").open("ab") as chain:
        chain.write(lines.splitlines(keepends=True)[-1][:40])       # a crash in the middle of a line
    (reports / "lock").write_text('{"pid": 1')                       # of a lock that nobody holds
    old = reports / os.readlink(reports / "latest")
    (old / "verify/alpha.json").write_text((old / "verify/alpha.json").read_text()[:50])
    (reports / "latest").unlink()
    (reports / "latest").symlink_to("gone")
    again = mini.run(write=False)
    assert again.returncode == 0, again.stdout + again.stderr
    assert (reports / "audit.jsonl").read_bytes().startswith(lines), "no line of the chain is lost"
    verified = ask(mini, "golive.audit", "verify", str(reports / "audit.jsonl"))
    assert verified.returncode == 0, verified.stdout + verified.stderr
    rebuilt = ask(mini, "golive.report", str(old))
    assert "Traceback" not in rebuilt.stderr
    assert "verify/alpha.json is not whole JSON and was left out" in (old / "report.html").read_text()


def ask(mini: Mini, module: str, *words: str) -> subprocess.CompletedProcess[str]:
    python = mini.command()[0].replace("ansible-playbook", "python")
    command = [python, "-m", module, *words]
    return subprocess.run(command, cwd=mini.path, env=mini.environment(), capture_output=True, text=True, check=False)


@pytest.mark.parametrize(("variables", "words"), [
    ({"reflector_port": "soon"}, "reflector_port has the wrong type, found 'soon', expected a whole number"),
    ({"reflector_port": "{{ no_such_variable }}"}, "reflector_port cannot be computed, found 'no_such_variable' is undefined"),
    ({"reflector_private_key": None}, "reflector_private_key is not set, expected a path"),
])
def test_a_wrong_variable_of_a_role_is_one_sentence_and_no_host_is_touched(mini: Mini, variables: dict[str, object], words: str) -> None:
    given = {"reflector_certificate": "/nowhere/c.pem", "reflector_private_key": "/nowhere/k.pem", **variables}
    mini.variables.update({name: value for name, value in given.items() if value is not None})
    (mini.path / "playbooks/preflight.yml").write_text(yaml.safe_dump([
        {"name": "Build", "hosts": "bots", "gather_facts": False, "roles": [{"role": "reflector"}]}]))
    done = mini.run()
    told = says(done, words)
    assert told.startswith(("inventories/slice/group_vars/all/profile.yml:", "role reflector on alpha:"))
    assert untouched(mini)
