"""Ways around the gates that begin outside golive: another configuration, two playbooks in one call. Each is named."""
from __future__ import annotations

import shutil
import subprocess

from .conftest import ROOT, Mini


def said(done: subprocess.CompletedProcess[str]) -> str:
    return " ".join((done.stdout + done.stderr).split())


def test_a_configuration_that_is_not_the_repositorys_is_named_and_nothing_runs(mini: Mini) -> None:
    shutil.copy(ROOT / "playbooks/live.yml", mini.path / "playbooks/live.yml")
    other = mini.path.parent / "other.cfg"
    other.write_text("[defaults]\n")
    for playbook in ("golive.yml", "playbooks/live.yml"):
        done = mini.run(playbook=playbook, ANSIBLE_CONFIG=str(other))
        assert done.returncode == 4
        assert "Ansible did not read this repository's ansible.cfg, and nothing was run" in said(done)
        assert "TASK" not in done.stdout
    assert mini.runs() == []


def test_a_checkout_that_others_may_write_is_named_and_nothing_runs(mini: Mini) -> None:
    mini.write()
    mini.path.chmod(0o777)
    environment = {name: value for name, value in mini.environment().items() if name != "ANSIBLE_CONFIG"}
    done = subprocess.run(mini.command(), cwd=mini.path, env=environment, text=True, capture_output=True, check=False, timeout=240)
    assert done.returncode == 4
    assert "others may write to this folder (then: chmod o-w .)" in said(done)
    assert "TASK" not in done.stdout
    assert mini.runs() == []


def test_two_playbooks_in_one_call_are_refused_by_name(mini: Mini) -> None:
    mini.write()
    command = [*mini.command(playbook="playbooks/open.yml"), "playbooks/live.yml"]
    command.insert(2, command.pop())
    done = subprocess.run(command, cwd=mini.path, env=mini.environment(), text=True, capture_output=True, check=False, timeout=240)
    assert done.returncode == 2
    assert "more than one playbook in a call would walk around a gate" in said(done)
    assert mini.runs() == []
