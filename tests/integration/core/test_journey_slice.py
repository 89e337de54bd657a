"""The whole flow on small controls: what is not known closes the gate, and nothing walks around it."""
from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable

import pytest
import yaml

from .conftest import Mini


def test_all_green_reaches_the_end_and_every_report_is_written(mini: Mini) -> None:
    done = mini.run()
    assert done.returncode == 0, done.stdout + done.stderr
    report = mini.latest("report.json")
    assert report["summary"]["controls"]["pass"] == len(mini.controls)
    assert {"report.html", "junit.xml", "golive.prom", "oscal.json"} <= set(os.listdir(mini.path / "reports/slice/latest"))
    assert mini.latest("finished.json")["exit"] == 0


def test_a_red_control_closes_its_gate_and_later_phases_do_not_run(mini: Mini) -> None:
    mini.number("middle.holds", 12)
    done = mini.run()
    assert done.returncode == 2
    assert "number is 12, wanted < 10" in done.stdout
    assert not mini.latest("verify/gate.json")["open"]
    assert not (mini.path / "reports/slice/latest/paper").exists()


def test_an_unknown_control_closes_its_gate(mini: Mini) -> None:
    mini.write()
    (mini.numbers / "first.holds").unlink()
    assert mini.run().returncode == 2
    found = {one["control"]: one["verdict"] for one in mini.latest("preflight/gate.json")["verdicts"]}
    assert found == {"first.holds": "undecided", "preflight.seen": "pass"}


def test_an_unreachable_host_is_an_observation_that_closes_the_gate(mini: Mini) -> None:
    mini.hosts["beta"] = {"ansible_host": "127.0.0.1", "ansible_port": 9, "ansible_connection": "ssh",
                          "ansible_ssh_common_args": "-o ConnectTimeout=3"}
    assert mini.run().returncode == 2
    found = {one["subject"]: one["verdict"] for one in mini.latest("preflight/gate.json")["verdicts"]}
    assert found == {"alpha": "pass", "beta": "undecided", "controller": "pass"}


def test_a_host_without_python_says_so(mini: Mini) -> None:
    mini.hosts["beta"]["ansible_python_interpreter"] = "/usr/bin/python9"
    assert mini.run().returncode == 2
    reasons = [one["reason"] for one in mini.latest("preflight/gate.json")["verdicts"] if one["subject"] == "beta"]
    assert "there is no Python at /usr/bin/python9" in reasons[0]


@pytest.mark.parametrize("flags", [["--limit", "alpha"], ["--start-at-task", "Gate"], ["--tags", "x"], ["--skip-tags", "x"], ["--step"]])
def test_flags_that_walk_around_a_gate_are_refused_and_nothing_runs(mini: Mini, flags: list[str]) -> None:
    done = mini.run(*flags)
    assert done.returncode == 2
    assert "would walk around a gate" in done.stdout + done.stderr
    assert mini.runs() == []


def test_a_run_without_the_callback_does_not_start(mini: Mini) -> None:
    done = mini.run(ANSIBLE_CALLBACKS_ENABLED="ansible.posix.timer")
    assert done.returncode == 2
    assert "no run holds the lock" in done.stdout


def test_golive_dry_cannot_be_given_from_outside(mini: Mini) -> None:
    done = mini.run("-e", "golive_dry=false")
    assert done.returncode == 2
    assert "golive_dry must not be given with -e" in done.stdout


def test_extra_variables_that_shadow_the_profile_are_recorded(mini: Mini) -> None:
    mini.number("first.holds", 50)
    mini.run("-e", "number_max=99")
    assert mini.latest("run.json")["shadowing"] == ["number_max"]


def test_a_dry_run_never_fails_and_tells_which_gate_would_stop(mini: Mini) -> None:
    mini.number("middle.holds", 12)
    done = mini.run("--check", "--diff")
    assert done.returncode == 0, done.stdout
    assert not mini.latest("verify/gate.json")["open"]
    assert mini.latest("live/gate.json")["closing"][0] == "the gate of phase verify is closed"


def test_a_second_run_at_once_is_told_who_holds_the_lock(mini: Mini) -> None:
    mini.controls["first.holds"]["ask"] = {"path": str(mini.numbers / "pipe")}
    os.mkfifo(mini.numbers / "pipe")
    mini.write()
    with start(mini) as first:
        _await((mini.path / "reports/slice/latest/preflight/plan.alpha.json").exists)
        second = mini.run(write=False)
        first.terminate()
    assert second.returncode == 2
    assert "a run is in progress" in second.stdout + second.stderr
    assert str(first.pid) in second.stdout + second.stderr
    assert len(mini.runs()) == 1


def test_a_killed_run_still_has_a_report_that_says_so(mini: Mini) -> None:
    mini.controls["middle.holds"]["ask"] = {"path": str(mini.numbers / "pipe")}
    os.mkfifo(mini.numbers / "pipe")
    mini.write()
    with start(mini, start_new_session=True) as run:
        _await((mini.path / "reports/slice/latest/verify/plan.alpha.json").exists)
        os.killpg(run.pid, signal.SIGKILL)
    python = mini.command()[0].replace("ansible-playbook", "python")
    done = subprocess.run([python, "-m", "golive.report", str(mini.path / "reports/slice/latest")], cwd=mini.path, env=mini.environment(),
                          capture_output=True, text=True, check=False)
    assert done.returncode in (0, 2), done.stderr
    assert mini.latest("report.json")["finished"] is None
    assert mini.latest("report.json")["summary"]["controls"]["pass"] >= 3


@pytest.mark.parametrize(("change", "words"), [
    ({"number_max": None}, "unknown profile variable number_max"),
    ({"number_max": "soon"}, "operator lt needs a number"),
    ({"number_max": 10, "golive_day_seconds": -1}, "golive_day_seconds is not a day"),
])
def test_a_wrong_profile_ends_in_one_clear_sentence_before_any_target_is_touched(mini: Mini, change: dict[str, object], words: str) -> None:
    mini.variables = change
    done = mini.run()
    assert done.returncode == 2
    assert words in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert not list(mini.path.glob("reports/slice/*/preflight"))


def test_production_without_hosts_ends_with_one_sentence_after_compiling(mini: Mini) -> None:
    mini.write()
    lab = (mini.path / "inventories/slice/lab.yml").read_text()
    inventory = yaml.safe_load(lab)
    inventory["all"]["hosts"] = {"controller": inventory["all"]["children"]["rehearsal"]["hosts"]["controller"]}
    inventory["all"]["children"] = {name: {} for name in inventory["all"]["children"]}
    (mini.path / "inventories/slice/production.yml").write_text(yaml.safe_dump(inventory))
    done = subprocess.run([*mini.command()[:3], "inventories/slice/production.yml"], cwd=mini.path, env=mini.environment(),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no host in group production: fill in" in done.stdout.replace(";", ":")


def start(mini: Mini, **options: bool) -> subprocess.Popen[bytes]:
    return subprocess.Popen(mini.command(), cwd=mini.path, env=mini.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                            **options)


def _await(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)
