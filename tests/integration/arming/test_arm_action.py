"""The money actions through Ansible, against a real host: predicted, armed once, repeated without change, and refused every way around."""
from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive import acts, audit, rundir, way_back
from golive.kill_switch import dead_man, stop_bot
from golive.lab.run import REPOSITORY

from tests.fixtures import people as p
from tests.integration.core.conftest import Mini, mini

from .conftest import ARM, VERIFIER, Armed, Remote

pytestmark = pytest.mark.lab
__all__ = ["mini"]
CANARY = "c2VjcmV0LWNhbmFyeS0xMjM0NTY3ODkw"
STAGES = [{"name": "day1"}, {"name": "day3"}]


class ArmMini(Mini):
    """The miniature with one bot on a lab host, lab signers, and phases that bind, draft, sign and arm."""

    remote: Remote

    def write(self) -> None:
        super().write()
        path = self.path / "inventories/slice/lab.yml"
        inventory = yaml.safe_load(path.read_text())
        inventory["all"]["children"]["bots"] = {"hosts": {"bot": {}}}
        inventory["all"]["children"]["kill_machines"] = {"hosts": {"bot": {}}}
        path.write_text(yaml.safe_dump(inventory))

    def tasks(self, phase: str, *before: dict[str, Any]) -> None:
        """Let a phase do something on the bot's host before it looks and judges."""
        path = self.path / f"playbooks/{phase}.yml"
        plays = yaml.safe_load(path.read_text())
        plays = [play for play in plays if play["hosts"] != "bots"]
        path.write_text(yaml.safe_dump([{"name": f"Act in {phase}", "hosts": "bots", "gather_facts": False, "become": True,
                                         "tasks": list(before)}, *plays]))

    def lines(self) -> list[dict[str, Any]]:
        return audit.AuditLog(str(self.path / "reports/slice/audit.jsonl")).verify().lines

    def acts(self) -> list[str]:
        return [line["act"] for line in self.lines() if line["act"].split(".")[0] in ("ticket", "arm", "ramp", "disarm")]


def bot_host(remote: Remote) -> dict[str, Any]:
    lab = remote.lab
    return {"ansible_host": str(lab.host("bot").address), "ansible_user": "golive", "ansible_ssh_private_key_file": str(lab.key_file),
            "ansible_python_interpreter": "/usr/bin/python3",
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={lab.known_hosts} -o GlobalKnownHostsFile=/dev/null "
                                       "-o StrictHostKeyChecking=yes -o IdentitiesOnly=yes"}


DRAFT = {"name": "Draft", "draft_ticket": {"stage": "{{ stage_now }}", "limits": p.LIMITS, "hours": 12, "loss": "10", "deadline_hours": 48,
                                           "sample": {"fills": 20}, "credential": "{{ credential }}"}}
SIGN: dict[str, Any] = {"name": "Sign", "sign_rehearsal": {}}
ARM_TASK: dict[str, Any] = {"name": "Arm", "arm": {"credential": "{{ credential }}"}}


@pytest.fixture
def world(mini: Mini, armed: Armed, tmp_path: Path) -> ArmMini:
    world = ArmMini(mini.path, mini.numbers, {"bot": bot_host(armed.remote)}, mini.controls, dict(mini.variables))
    world.remote = armed.remote
    world.control("arm.seen", "verify", drift=True)
    for control in world.controls.values():
        control["seen_from"] = "controller"  # the numbers of the sample probe lie on the controller
    secret = tmp_path / "exchange.json"
    secret.write_text(json.dumps({"key": "SANDBOXKEY", "secret": CANARY}))
    secret.chmod(0o600)
    names = ["exchange_venue", "signoff_people", "signoff_roles", "ramp_stages", "stage_now", "ramp_stage_days_min", "ramp_fills_min",
             "evidence_directory", "attestation_directory", *dead_man.PROFILE[2:], "on_disconnect"]
    world.variables.update({"exchange_venue": "kraken", "signoff_people": "pair", "signoff_roles": ["operator", "approver"],
                            "ramp_stages": STAGES, "stage_now": "day1", "ramp_stage_days_min": 2, "ramp_fills_min": 10,
                            "evidence_directory": "evidence", "attestation_directory": "attestations/slice",
                            "credential": f"file:{secret}", "golive_profile": names, "on_disconnect": "keep_stops",
                            "on_disconnect_timeout_s": 180, "bot_protects_by_orders": True, "exchange_account_shared": False,
                            "bot_decision_max_age_s": 60})
    (world.path / "signers/slice").mkdir(parents=True)
    for name in ("roles.yml", "production.allowed_signers"):
        shutil.copy(REPOSITORY / "signers/kraken-micro" / name, world.path / "signers/slice" / name)
    world.write()
    enrol(world)
    world.tasks("deploy", {"name": "Bind", "bind_release": {"limits": list(p.LIMITS)}})
    world.tasks("signoff", DRAFT, SIGN)
    world.tasks("live", ARM_TASK)
    return world


def enrol(world: ArmMini) -> None:
    """Put lab signers and policy on the host, as role bot does, and take away key and nonces of other tests."""
    python = world.command()[0].replace("ansible-playbook", "python")
    subprocess.run([python, "-m", "golive.rehearsal_signers", "slice"], cwd=world.path, env=world.environment(), check=True)
    roles = yaml.safe_load((world.path / "signers/slice/roles.yml").read_text())["rehearsal"]["people"]
    persons = {one: {"person": name, "roles": entry["roles"]} for name, entry in roles.items() for one in entry["principals"]}
    policy = p.make_policy(system="slice", rehearsal=True, persons=persons)
    world.remote.put_all({f"{ARM}/policy.json": json.dumps(policy).encode(),
                          f"{ARM}/allowed_signers": (world.path / "signers/slice/rehearsal.allowed_signers").read_bytes()},
                         before=f"rm -f {ARM}/exchange_key.cred")


def changes(world: ArmMini) -> list[str]:
    path = world.path / "reports/slice/latest/changes.jsonl"
    return sorted(json.loads(line)["object"] for line in path.read_text().splitlines()) if path.exists() else []


BOTH = ["file:/etc/golive/arm/exchange_key.cred", "ticket:/etc/golive/arm/installed"]


def test_predicted_armed_and_repeated_without_change_and_the_key_is_nowhere(world: ArmMini) -> None:
    predicted = world.run("--check", "-vvvv")
    assert changes(world) == BOTH, predicted.stdout[-3000:]
    assert world.remote.show()["state"] == "none", "a dry run changes nothing"
    done = world.run("-vvvv", "--diff")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert changes(world) == BOTH
    shown = world.remote.show()
    assert (shown["state"], shown["signed_by"], shown["key"]) == ("valid", ["lab-approver", "lab-operator"], True)
    world.remote.start()
    world.remote.until(lambda: world.remote.unit() == "active")
    world.remote.until(lambda: world.remote.ssh("sudo test -s /run/bot/live/key_seen").returncode == 0)
    assert json.loads(world.remote.sh("cat /run/bot/live/key_seen"))["secret"] == CANARY
    assert world.acts() == ["ticket.drafted", "ticket.signed", "ticket.signed", "arm.begin", "arm.done"]
    for arguments in (("--check",), ()):
        again = world.run(*arguments)
        assert again.returncode == 0, again.stdout[-3000:]
        assert changes(world) == [], arguments
    assert world.acts()[-1] == "arm.done", "nothing was signed or armed again"
    everything = "".join(path.read_text("utf-8", "replace") for path in (world.path / "reports").rglob("*") if path.is_file())
    said = predicted.stdout + predicted.stderr + done.stdout + done.stderr + everything
    on_disk = world.remote.sh(f"grep -rl {CANARY} /etc /var /tmp /home /root 2>/dev/null || true")
    journal = world.remote.sh(f"journalctl --no-pager | grep -c {CANARY} || true")
    assert (CANARY in said, on_disk, journal) == (False, "", "0")


def refused(world: ArmMini, *arguments: str, **environment: str) -> str:
    done = world.run(*arguments, write=False, **environment)
    assert done.returncode != 0, done.stdout
    assert world.remote.show()["state"] != "valid"
    return done.stdout + done.stderr


def test_a_red_control_closes_the_gate_before_anything_is_armed(world: ArmMini) -> None:
    world.number("arm.seen", 12)
    assert "The gate of phase verify is closed" in refused(world)
    assert world.acts() == []


ON_CONTROLLER = {"delegate_to": "controller", "become": False}
EPOCHS = "/var/lib/golive/epochs"
# What is spoilt, how it is mended, and the words by which arming refuses. All in one run: the last, unspoilt attempt must arm.
SPOILT: list[tuple[str, str, str, dict[str, Any]]] = [
    ("judging the observations of phase verify again gives other verdicts",
     "sed -i 's/\"number\": \"5\"/\"number\": \"12\"/' {run}/verify/controller.json",
     "sed -i 's/\"number\": \"12\"/\"number\": \"5\"/' {run}/verify/controller.json", ON_CONTROLLER),
    ("edited or replaced", "echo >> {run}/verify/gate.json", "sed -i '$ d' {run}/verify/gate.json", ON_CONTROLLER),
    ("profile.json is not the profile", "sed -i 's/\"number_max\": 10/\"number_max\": 99/' {run}/profile.json",
     "sed -i 's/\"number_max\": 99/\"number_max\": 10/' {run}/profile.json", ON_CONTROLLER),
    ("the timer of kraken takes stops away with the rest", "sed -i 's/\"keep_stops\"/\"cancel_all\"/' {run}/profile.json",
     "sed -i 's/\"cancel_all\"/\"keep_stops\"/' {run}/profile.json", ON_CONTROLLER),
    ("does not hold the catalogue", "cp {run}/compiled.json {run}/kept && sed -i 's/\"critical\"/\"low\"/' {run}/compiled.json",
     "mv {run}/kept {run}/compiled.json", ON_CONTROLLER),
    ("was changed after it was signed", "sed -i 's/\"max_positions\":2/\"max_positions\":9/' {run}/../tickets/bot/ticket.json",
     "sed -i 's/\"max_positions\":9/\"max_positions\":2/' {run}/../tickets/bot/ticket.json", ON_CONTROLLER),
    ("is signed by 1 of the 2 people", "mv {run}/../tickets/bot/ticket.json.lab-approver.sig {run}/kept",
     "mv {run}/kept {run}/../tickets/bot/ticket.json.lab-approver.sig", ON_CONTROLLER),
    ("was edited", "sed -i 's/\"open\":true/\"open\":false/' {run}/../audit.jsonl",
     "sed -i 's/\"open\":false/\"open\":true/' {run}/../audit.jsonl", ON_CONTROLLER),
    ("kill machine bot is at epoch 7, the ticket is of 0", f"mkdir -p {EPOCHS} && touch {EPOCHS}/7", f"rm -r {EPOCHS}", {}),
    ("not the one of this golive", f"echo '# changed' >> {VERIFIER}", f"sed -i '$ d' {VERIFIER}", {}),
    ("the tree of the release on this host is", "echo 'steal()' >> /opt/bot/current/app/bot.py",
     "sed -i '$ d' /opt/bot/current/app/bot.py", {}),
]


def test_whatever_is_spoilt_refuses_by_its_own_words_and_unspoilt_it_arms(world: ArmMini) -> None:
    tasks: list[dict[str, Any]] = []
    for number, (_words, *scripts, where) in enumerate(SPOILT):
        prefix = f"cd {world.path} && " if where else ""
        spoil, mend = (prefix + script.replace("{run}", "$(readlink -f reports/slice/latest)") for script in scripts)
        tasks += [{"name": f"Spoil {number}", "ansible.builtin.raw": spoil, **where},
                  {**ARM_TASK, "name": f"Try {number}", "ignore_errors": True},
                  {"name": f"Nothing is armed {number}", "ansible.builtin.raw": f"test ! -e {ARM}/installed"},
                  {"name": f"Mend {number}", "ansible.builtin.raw": mend, **where}]
    world.tasks("live", *tasks, ARM_TASK)
    done = world.run()
    assert done.returncode == 0, done.stdout[-4000:]
    attempts = done.stdout.split("TASK [Try ")[1:]
    told = [(words, words in attempt.split("TASK [", 1)[0]) for (words, *_rest), attempt in zip(SPOILT, attempts, strict=True)]
    assert [words for words, found in told if not found] == []
    assert world.remote.show()["state"] == "valid"
    assert "arm.failed" in world.acts(), "what the host refused stands in the chain"


def test_an_extra_variable_that_shadows_the_profile_does_not_arm(world: ArmMini) -> None:
    assert "-e overrides profile variables: number_max" in refused(world, "-e", "number_max=11")


def test_a_profile_that_lets_the_venue_strip_stops_is_neither_drafted_nor_armed(world: ArmMini) -> None:
    world.variables["on_disconnect"] = "cancel_all"
    world.write()
    said = refused(world)
    assert "no ticket is drafted for a bot that must not be armed like this" in said
    assert "the timer of kraken takes stops away with the rest" in said


def test_flags_do_not_arm_even_with_the_callback_switched_off(world: ArmMini) -> None:
    for flags in (("--start-at-task", "Arm"), ("--limit", "bot"), ("--tags", "all,arm"), ("--skip-tags", "x")):
        assert "no run holds the lock" in refused(world, *flags, ANSIBLE_CALLBACKS_ENABLED="timer")


def test_the_first_stage_is_the_only_one_that_can_be_armed_without_evidence(world: ArmMini) -> None:
    world.variables["stage_now"] = "day3"
    world.write()
    assert "the ramp begins at day1, the ticket is for day3" in refused(world)


def test_disarming_takes_ticket_and_key_and_only_from_a_stopped_bot(world: ArmMini) -> None:
    assert world.run().returncode == 0
    world.tasks("live", {"name": "Disarm", "disarm": {"reason": "the drill is over"}})
    world.remote.start()
    world.remote.until(lambda: world.remote.unit() == "active")
    done = world.run()
    assert "is active; stop it first" in done.stdout
    world.remote.sh("systemctl stop bot-live.service")
    assert world.run().returncode == 0
    assert (world.remote.show()["state"], world.remote.show()["key"]) == ("none", False)
    assert world.run().returncode == 0
    assert changes(world) == []


def test_an_act_cut_off_after_the_delivery_is_closed_by_the_next_run(world: ArmMini) -> None:
    assert world.run().returncode == 0
    path = world.path / "reports/slice/audit.jsonl"
    kept = [line for line in path.read_bytes().splitlines(keepends=True) if b'"act":"arm.done"' not in line]
    last_begin = next(number for number, line in enumerate(kept) if b'"act":"arm.begin"' in line)
    path.write_bytes(b"".join(kept[: last_begin + 1]))  # the machine stopped between delivery and the line about it
    assert world.run().returncode == 0
    done = [line for line in world.lines() if line["act"] == "arm.done"]
    assert [line["detail"].get("found_after_a_crash") for line in done] == [True]
    assert changes(world) == []


def test_behind_a_kill_it_is_armed_again_by_comparison_cause_and_new_ticket_and_by_nothing_less(world: ArmMini) -> None:
    remote, kept = world.remote, "/var/lib/bot/live"
    world.variables.update(bot_live_unit="bot-live.service", bot_live_ledger=f"{kept}/ledger.jsonl")
    world.hosts["bot"]["ansible_become"] = True     # as every real inventory has it
    assert world.run().returncode == 0
    # As role bot has it: a unit below /usr/local can be masked. The program that the kill switch starts there by ssh, and its settings.
    remote.sh("mkdir -p /usr/local/lib/systemd/system\nmv /etc/systemd/system/bot-live.service /usr/local/lib/systemd/system/\n"
              f"systemctl daemon-reload\nsystemctl start bot-live.service\nrm -rf {kept}\nmkdir -p {kept}")
    settings = {"units": ["bot-live.service"], "control_directories": ["/run/bot/live"], "ticket_program": VERIFIER}
    remote.put_all({"/run/stop_bot.py": Path(stop_bot.__file__).read_bytes(), stop_bot.SETTINGS: json.dumps(settings).encode()})
    try:
        stopped = json.loads(remote.sh("python3 -ISE /run/stop_bot.py"))
        assert (stopped["stopped"], stopped["masked"], stopped["voided"], stopped["problems"]) == (True, True, True, [])
        said = refused(world)
        assert "its ledger was not held against the venue since: run playbooks/operate/after_kill.yml" in said
        assert "nobody has signed why" not in said, "in a rehearsal the lab's person states it"
        for arguments in (("--check",), (), ("--check",), ()):
            done = world.run(*arguments, playbook="playbooks/operate/after_kill.yml")
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        assert remote.sh("test ! -e /run/bot/live/kill; systemctl show --property=UnitFileState --value bot-live.service") == "disabled"
        assert "was not held against the venue since" in refused(world), "putting things aside is no comparison"
        run = rundir.RunDir(world.path / "reports/slice" / world.runs()[-1])
        acts.note(run, way_back.RECONCILED, "bot", {"instance": "live", "equal": True, "differences": 0, "record": "sha256:" + "0" * 64})
        done = world.run(write=False)
        assert done.returncode == 0, done.stdout[-3000:]
        assert changes(world) == BOTH
        remote.start()
        remote.until(lambda: remote.unit() == "active")
        assert world.run(write=False).returncode == 0
        assert changes(world) == []
    finally:
        remote.sh("systemctl stop bot-live.service || true\nsystemctl unmask bot-live.service\n"
                  "rm -f /usr/local/lib/systemd/system/bot-live.service\nsystemctl daemon-reload")
