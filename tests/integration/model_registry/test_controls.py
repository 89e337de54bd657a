"""Every control of the registry, on a real host: green in a good world, red by each of its faults, green again afterwards."""
from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golive import catalogue, judge, operators, profile

from tests.fixtures import models as m
from tests.fixtures.model_profile import VALUES
from tests.integration.model_registry.conftest import CRYPTO, SWING, Host

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]
ROOT = Path(__file__).resolve().parents[3]
SUBJECTS = ("model", "isolation", "downtime", "training")
POINTER = f"{CRYPTO}/models/approved_model.json"
LOG = f"{CRYPTO}/models/approvals.jsonl"


def controls() -> dict[str, catalogue.Control]:
    known = catalogue.load(ROOT / "controls")
    return {name: one for name, one in known.controls.items()
            if name.split(".")[0] in SUBJECTS and one.fields["systems"] == ["kraken-global"]}


def compiled(name: str, **changed: Any) -> dict[str, Any]:
    """Return a control as a run of the system judges by it."""
    fields = controls()[name].fields
    values = {**VALUES, **changed}
    taken = {key: profile.resolve(fields[key], values) for key in ("ask", "expect", "min_opportunities")}
    return {**fields, **taken, "expect": {fact: operators.validate(tests) for fact, tests in taken["expect"].items()}}


def verdict(host: Host, name: str, **changed: Any) -> judge.Judgement:
    control = compiled(name, **changed)
    answer = host.observe(control["probe"], control["ask"])[0]
    return judge.judge(control, {**answer, "witness": answer.get("witness") or {"model_registry": "golive", "config": "golive"}.get(
        control["probe"], "kernel")})


BOT = '''
import http.server, json, mmap, os, sys
settings = json.load(open("/etc/bot/live.json"))
pointer = json.load(open(settings["APPROVED_MODEL_PATH"]))
path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(settings["APPROVED_MODEL_PATH"]), pointer["files"][0]["path"])
held = open(path, "rb"); mapped = mmap.mmap(held.fileno(), 0, prot=mmap.PROT_READ)
digest = pointer["digest"] if len(sys.argv) < 2 else "sha256:" + "0" * 64
class Health(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"model": {"digest": digest}, "config": settings}).encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
    def log_message(self, *words): pass
http.server.HTTPServer(("127.0.0.1", 8000), Health).serve_forever()
'''
UNIT = "[Service]\nUser=bot\nExecStart=/usr/bin/python3 /opt/model_bot.py\n"
CONFIG = {"VERIFY_MODEL_INTEGRITY": True, "APPROVED_MODEL_PATH": POINTER, "downtime": {"start": "03:00", "end": "05:00"}, "timezone": "UTC"}
FEATURES = {name: {"edges": one["edges"], "counts": [int(1000 * share) for share in one["shares"]]} for name, one in m.SHARES.items()}


def write(host: Host, path: str, text: str, owner: str = "root:root", mode: str = "0644") -> None:
    host.must(f"mkdir -p $(dirname {path}); cat > {path} <<'GOLIVE_END'\n{text}\nGOLIVE_END\nchown {owner} {path}; chmod {mode} {path}")


def restart(host: Host) -> None:
    host.must("systemctl daemon-reload; systemctl restart bot-live.service; for n in $(seq 100); do "
              "curl -sf http://127.0.0.1:8000/health >/dev/null && exit 0; sleep 0.2; done; systemctl status bot-live.service; exit 1")


@pytest.fixture(scope="module")
def live(registry: Host, approved: dict[str, Any]) -> Host:
    """A bot that loads the model in force, and what it has seen."""
    write(registry, "/opt/model_bot.py", BOT)
    write(registry, "/etc/bot/live.json", json.dumps(CONFIG))
    write(registry, "/etc/systemd/system/bot-live.service", UNIT)
    write(registry, "/var/lib/bot/live/features.json", json.dumps(FEATURES))
    restart(registry)
    registry.must(f"cp -a {CRYPTO} /srv/before")
    return registry


def restore(host: Host) -> None:
    """Put the registry back as it was, byte for byte; what a fault mounted or added goes."""
    host.must(f"rm -rf {CRYPTO}; cp -a /srv/before {CRYPTO}; gpasswd -d bot swing-readers >/dev/null 2>&1; true")


@pytest.mark.parametrize("name", sorted(controls()))
def test_in_a_good_world_it_is_green(live: Host, name: str) -> None:
    found = verdict(live, name)
    assert found.verdict == "pass", f"{name}: {found.reason}"


def line_edit(host: Host) -> None:
    host.must(f"sed -i '1s/\"actor\":\"model-registry\"/\"actor\":\"carl\"/' {LOG}")


def of(command: str) -> Callable[[Host], None]:
    def act(host: Host) -> None:
        host.must(command)
    return act


LINKED = f"mv {CRYPTO}/models {SWING}/stolen && ln -s {SWING}/stolen {CRYPTO}/models"
OPENED = f"chgrp -R model-readers {CRYPTO}/candidates; chmod 0750 {CRYPTO}/candidates"
FLIPPED = "chmod u+w {0}; printf x | dd of={0} bs=1 seek=100 conv=notrunc 2>/dev/null"
MODEL = f"$(ls -d {CRYPTO}/models/*/ | head -1)files/model.onnx"
CANDIDATE = f"$(ls -d {CRYPTO}/candidates/*/ | head -1)files/model.onnx"
IN_FORCE = f"import json;p=json.load(open('{POINTER}'));print(p['digest'][7:]+'/'+p['validation'][7:])"
RECORDS = f'{CRYPTO}/validations/$(python3 -c "{IN_FORCE}")'
FAULTS: list[tuple[str, str, Callable[[Host], None]]] = [
    ("model.directories_present", "models_directory_is_a_link", of(LINKED)),
    ("isolation.paths_disjoint", "models_linked_into_swing_root", of(LINKED)),
    ("model.writable_by_owner_only", "models_given_to_the_bot", of(f"chown bot {CRYPTO}/models")),
    ("model.writable_by_owner_only", "candidates_open_to_the_bot", of(f"chmod 0755 {CRYPTO}/candidates")),
    ("model.no_candidate_reads", "candidates_open_to_the_bot", of(OPENED)),
    ("model.tool_runs", "model_tool_broken", of("mv /usr/local/lib/golive/model_registry.pyz /run/tool")),
    ("model.four_gates_recorded", "gate_result_deleted", of(f"rm {RECORDS}/record.json")),
    ("model.four_gates_recorded", "evidence_deleted", of(f"rm {RECORDS}/evidence/predictions.jsonl")),
    ("model.intact", "model_byte_flipped", of(FLIPPED.format(MODEL))),
    ("model.intact", "model_file_added", of(f"touch {MODEL}.more")),
    ("model.approvals_log_complete", "approvals_line_edited", line_edit),
    ("model.approvals_log_complete", "approvals_end_cut", of(f"sed -i '$d' {LOG}")),
    ("model.approvals_log_complete", "pointer_moved_by_hand", of(f"sed -i 's/\"size\":[0-9]*/\"size\":1/' {POINTER}")),
    ("model.features_stable", "live_feature_shifted", of(
        "sed -i 's/\\[100, 400, 400, 100\\]/[10, 10, 80, 900]/' /var/lib/bot/live/features.json")),
    ("model.integrity_gate_on", "model_integrity_switched_off", of(
        "sed -i 's/\"VERIFY_MODEL_INTEGRITY\": true/\"VERIFY_MODEL_INTEGRITY\": false/' /etc/bot/live.json")),
    ("downtime.window_configured", "downtime_in_local_time", of("sed -i 's/UTC/Europe\\/Berlin/' /etc/bot/live.json")),
    ("isolation.no_swing_access", "bot_in_swing_group", of("gpasswd -a bot swing-readers >/dev/null")),
]


@pytest.mark.parametrize(("name", "fault", "act"), FAULTS, ids=[f"{name}-{fault}" for name, fault, _act in FAULTS])
def test_its_fault_turns_it_red_and_taking_it_away_green(live: Host, name: str, fault: str, act: Callable[[Host], None]) -> None:
    assert fault in controls()[name].fields["faults"]
    files = "/etc/bot/live.json /var/lib/bot/live/features.json"
    live.must(f"mkdir -p /run/kept; cp -a {files} /run/kept/")
    try:
        act(live)
        found = verdict(live, name)
        assert found.verdict == "fail", f"{fault}: {found.verdict}, {found.reason}"
    finally:
        live.shell(f"mv /run/tool /usr/local/lib/golive/model_registry.pyz 2>/dev/null; rm -rf {SWING}/stolen")
        live.must("cp -a /run/kept/live.json /etc/bot/live.json; cp -a /run/kept/features.json /var/lib/bot/live/features.json")
        restore(live)
    assert verdict(live, name).verdict == "pass"


def test_a_bot_that_loaded_another_model_is_seen(live: Host) -> None:
    live.must(f"sed -i \"s#^ExecStart=.*#ExecStart=/usr/bin/python3 /opt/model_bot.py $(echo {CANDIDATE})#; s/User=bot/User=root/\" "
              "/etc/systemd/system/bot-live.service")
    try:
        restart(live)
        found = verdict(live, "model.approved_pointer_only")
        assert found.verdict == "fail"
        assert "open_elsewhere" in found.reason      # the kernel's word
        assert "loaded_equals_approved" in found.reason
    finally:
        write(live, "/etc/systemd/system/bot-live.service", UNIT)
        restart(live)
    assert verdict(live, "model.approved_pointer_only").verdict == "pass"


def test_training_outside_of_the_downtime_is_seen(live: Host, tmp_path: Path) -> None:
    training = {"from": "2026-01-01T00:00:00Z", "until": "2026-10-01T00:00:00Z", "dataset": "sha256:" + "d" * 64, "code_commit": "c" * 40,
                "started": "2026-11-20T12:00:00Z", "ended": "2026-11-20T12:40:00Z"}
    live.put(m.candidate(tmp_path / "noon", 40, training=training), f"{CRYPTO}/incoming/noon", "trainer")
    try:
        live.tool_run("register", source=f"{CRYPTO}/incoming/noon")
        assert verdict(live, "training.only_in_downtime").verdict == "fail"
    finally:
        restore(live)
    assert verdict(live, "training.only_in_downtime").verdict == "pass"


def test_a_user_who_can_do_nothing_does_not_look_isolated(live: Host) -> None:
    live.must(f"chmod 0700 {CRYPTO}")
    try:
        found = verdict(live, "model.writable_by_owner_only")
        assert found.verdict == "fail"
        assert "control_ok" in found.reason
    finally:
        restore(live)


def test_a_looking_changes_nothing(live: Host) -> None:
    listing = f"find {CRYPTO} -printf '%p %m %u %g %s %T@\\n' | sort; ls -a /dev/shm /tmp"
    before = live.must(listing)
    for name in sorted(controls()):
        verdict(live, name)
    assert live.must(listing) == before
