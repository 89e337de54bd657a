"""Every break that the controls of the registry name, each with exactly what it turns red, declared before it is tried."""
from __future__ import annotations

import json
import re
import shlex
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from golive import audit, canonical

from tests.faults.harness.fault import UNDECIDED, Fault, NotTaken, red
from tests.fixtures import models as m
from tests.integration.model_registry.conftest import CRYPTO, SWING
from tests.integration.model_registry.live_bot import restart
from tests.integration.model_registry.world import ModelHost

POINTER, LOG = f"{CRYPTO}/models/approved_model.json", f"{CRYPTO}/models/approvals.jsonl"
DROP = "/run/systemd/system/bot-live.service.d"
READ = f"import json;p=json.load(open('{POINTER}'));d=p['digest'][7:];v=p['validation'][7:]"
IN_FORCE = f'{CRYPTO}/models/$(python3 -c "{READ};print(d)")/files/model.onnx'
RECORDS = f'{CRYPTO}/validations/$(python3 -c "{READ};print(d+chr(47)+v)")'
STATUS = "cat /proc/$(systemctl show -P MainPID bot-live)/status"
CANDIDATE = f"$(ls -d {CRYPTO}/candidates/*/ | head -1)files/model.onnx"


def restore(world: ModelHost) -> None:
    """Put registry, groups, bot and golive back as they were, byte for byte."""
    world.edits.clear()
    world.values.clear()
    world.on(f"umount {CRYPTO}/shadow 2>/dev/null; rm -rf {CRYPTO} {SWING}/stolen {SWING}/models/handed {SWING}/models/linked /srv/linked; "
             f"cp -a /srv/before {CRYPTO}; "
             "gpasswd -d bot swing-readers >/dev/null 2>&1; gpasswd -d swing model-readers >/dev/null 2>&1; "
             "cp -a /srv/kept/. /; [ -e /run/tool ] && mv /run/tool /usr/local/lib/golive/model_registry.pyz; true")


def of_bot(world: ModelHost) -> None:
    """The same, and the bot is started anew as it was."""
    world.on(f"rm -rf {DROP}")
    restore(world)
    restart(world.host)


def on_host(layer: str, script: str, look: str, wanted: str, *controls: str, **more: Any) -> Fault:
    """Return the break that a shell script makes; `wanted` is the regular expression that a second look must match."""
    heal = more.pop("heal", restore)
    expected = {**red(*controls), **more.pop("verdicts", {})}

    def confirm(world: ModelHost) -> str:
        seen = world.on(look, check=False).strip()
        if not re.search(wanted, seen, re.MULTILINE | re.DOTALL):
            raise NotTaken(f"{look!r} says {seen[-160:]!r}")
        return f"{look.rsplit(';', maxsplit=1)[-1].strip()[:80]} says {seen.splitlines()[0][:80] if seen else 'nothing'}"

    def act(world: ModelHost) -> None:
        world.on(script)
        if heal is of_bot:
            restart(world.host)

    return Fault("model host", layer, expected, act, confirm, heal, **more)


def in_golive(module: str, old: str, new: str, *controls: str) -> Fault:
    """Return the break of golive's own code on its way to the host: the registry that refuses is that of this release."""
    def edit(text: str) -> str:
        return text.replace(old, new)

    def act(world: ModelHost) -> None:
        world.edits[module] = edit

    def confirm(world: ModelHost) -> str:
        if module not in world.edits:
            raise NotTaken(f"{module} is as it was")
        return f"{module} is sent with {new.strip()[:100]!r}"

    return Fault("model host", "source", red(*controls), act, confirm, restore)


def in_profile(values: Mapping[str, Any], *controls: str) -> Fault:
    """Return the break of a threshold."""
    def act(world: ModelHost) -> None:
        world.values.update(values)

    return Fault("model host", "profile", red(*controls), act, lambda world: f"asked with other {', '.join(world.values)}", restore)


def unsigned_line(world: ModelHost) -> None:
    """Take a signature out of the newest line, with a hash that fits: the chain holds, the people do not."""
    lines = world.on(f"cat {LOG}").splitlines()
    line = json.loads(lines[-1])
    line["detail"]["approval"]["signatures"].pop(sorted(line["detail"]["approval"]["signatures"])[0])
    _write_line(world, lines, line)


def _write_line(world: ModelHost, lines: list[str], line: dict[str, Any]) -> None:
    line["hash"] = audit.line_hash(line)
    text = "\n".join([*lines[:-1], canonical.encode(line).decode()]) + "\n"
    world.on(f"printf %s {shlex.quote(text)} > {LOG}")


def signatures(world: ModelHost) -> str:
    held = json.loads(world.on(f"tail -1 {LOG}"))["detail"]["approval"]["signatures"]
    if len(held) != 1:
        raise NotTaken(f"{len(held)} signatures are left")
    return f"the newest line holds one signature, of {next(iter(held))}"


def trained(days: int) -> Callable[[ModelHost], None]:
    """Return the break that registers a candidate which was trained at noon, so many days ago (0: in the last 24 hours)."""
    def act(world: ModelHost) -> None:
        now = datetime.now(UTC)
        noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
        began = (noon if now >= noon + timedelta(hours=1) else noon - timedelta(days=1)) - timedelta(days=days)
        source = m.candidate(world.host.place / f"noon-{days}", 40 + days, training=m.training(began, timedelta(minutes=40)))
        world.host.put(source, f"{CRYPTO}/incoming/noon", "trainer")
        world.host.tool_run("register", source=f"{CRYPTO}/incoming/noon")
    return act


def noon(world: ModelHost) -> str:
    found = world.on(f"grep -ho '\"started\": *\"[^\"]*\"' {CRYPTO}/candidates/*/files/candidate.json | sort | uniq -c")
    if "T12:00:00Z" not in found:
        raise NotTaken(found)
    return "a candidate declares a training that started at 12:00 UTC"


def edited(path: str, pattern: str, wanted: str, *controls: str, **more: Any) -> Fault:
    """Return the break that a sed expression makes in a file."""
    return on_host("file", f"sed -i {shlex.quote(pattern)} {path}", f"cat {path}", wanted, *controls, **more)


def unit(lines: str, look: str, wanted: str, *controls: str, before: str = "true") -> Fault:
    """Return the break of the bot's unit: a drop-in, and the bot started anew."""
    words = " ".join(shlex.quote(one) for one in lines.splitlines())
    script = f"{before}; mkdir -p {DROP}; printf '%s\\n' '[Service]' {words} > {DROP}/break.conf"
    return on_host("process", script, look, wanted, *controls, heal=of_bot)


def guard(body: str, wanted: str) -> Fault:
    """Return the break of the bot's own guard against foreign roots."""
    text = f"import os\nclass Store:\n    def __init__(self, root):\n        {body}\n"
    return on_host("bot", f"printf %s {shlex.quote(text)} > /opt/bot_code/bot_store.py", "cat /opt/bot_code/bot_store.py", wanted,
                   "isolation.guard_refuses")


def of_config(pattern: str, wanted: str, *controls: str) -> Fault:
    """Return the break of the bot's configuration that the running bot has loaded."""
    return on_host("file", f"sed -i {shlex.quote(pattern)} /etc/bot/live.json", "curl -sf http://127.0.0.1:8000/health", wanted, *controls,
                   heal=of_bot)


GATES = "golive.model_registry.gates"
REGISTRY = "golive.model_registry.registry"
APPENDS = ("            self.store.append(self.act.run, self.act.actor, act, self.settings.scope, dict(detail, before=before, "
           "pointer=pointer))\n")
WIDE = {"sharpe_min": -1e9, "hit_rate_min": -1, "return_min": -1e9, "drawdown_max": 1e9}

#: fault -> its break; the names are those of controls/
BREAKS: dict[str, Fault] = {
    "models_directory_missing": on_host("file", f"mv {CRYPTO}/shadow /run/shadow-away", f"ls {CRYPTO}", r"\A(?!.*shadow)",
                                        "model.directories_present"),
    "models_directory_is_a_link": on_host(
        "file", f"rm -rf /srv/elsewhere; mv {CRYPTO}/shadow /srv/elsewhere && ln -s /srv/elsewhere {CRYPTO}/shadow",
        f"readlink {CRYPTO}/shadow", "^/srv/elsewhere$", "model.directories_present"),
    "models_linked_into_swing_root": on_host(
        "file", f"mv {CRYPTO}/shadow {SWING}/stolen && ln -s {SWING}/stolen {CRYPTO}/shadow", f"readlink {CRYPTO}/shadow", "stolen$",
        "isolation.paths_disjoint", "model.directories_present", heal=of_bot),      # it changes the root of swing
    "swing_root_bound_into_the_registry": on_host(
        "kernel", f"mount --bind {SWING}/models {CRYPTO}/shadow", "cat /proc/self/mountinfo", f"{CRYPTO}/shadow",
        "isolation.paths_disjoint", "isolation.closed_since_start"),
    "guard_is_an_assert": guard('assert "/swing" not in os.path.realpath(root)', "assert"),
    "guard_looks_at_the_name": guard('if "/swing" in root: raise ValueError("foreign")', "in root"),
    "models_given_to_the_bot": on_host("file", f"chown bot {CRYPTO}/models", f"stat -c %U {CRYPTO}/models", "^bot$",
                                       "model.writable_by_owner_only"),
    "candidates_open_to_the_bot": on_host(
        "file", f"chgrp -R model-readers {CRYPTO}/candidates; chmod 0750 {CRYPTO}/candidates", f"stat -c '%G %a' {CRYPTO}/candidates",
        "^model-readers 750$", "model.writable_by_owner_only", "model.no_candidate_reads"),
    "candidates_mounted_into_the_unit": unit(
        f"ExecStartPre=+/bin/sh -c 'rm -rf /srv/open; cp -r {CRYPTO}/candidates /srv/open; chmod -R a+rX /srv/open'\n"
        f"BindReadOnlyPaths=-/srv/open:{CRYPTO}/candidates", "cat /proc/$(systemctl show -P MainPID bot-live)/mountinfo",
        f"/srv/open {CRYPTO}/candidates", "model.no_candidate_reads"),
    "model_tool_broken": on_host("file", "mv /usr/local/lib/golive/model_registry.pyz /run/tool", "ls /usr/local/lib/golive",
                                 r"\A(?!.*model_registry)", "model.tool_runs"),
    "gate_result_deleted": on_host("record", f"rm {RECORDS}/record.json", f"ls {RECORDS}", r"\A(?!.*record.json)",
                                   "model.four_gates_recorded"),
    "evidence_deleted": on_host("record", f"rm {RECORDS}/evidence/predictions.jsonl", f"ls {RECORDS}/evidence",
                                r"\A(?!.*predictions\.jsonl)", "model.four_gates_recorded"),
    "model_byte_flipped": on_host(
        "file", f"f={IN_FORCE}; chmod u+w $f; sha256sum < $f > /run/sum; printf x | dd of=$f bs=1 seek=100 conv=notrunc 2>/dev/null",
        f"sha256sum < {IN_FORCE} | cmp -s - /run/sum || echo differs", "^differs$", "model.intact"),
    "model_file_added": on_host("file", f"touch {IN_FORCE}.more", f"ls {IN_FORCE}.more", "more$", "model.intact"),
    # Of a log that does not hold nothing can be said about who approved which bytes: undecided, which closes as well.
    "approvals_line_edited": edited(LOG, '1s/"actor":"[^"]*"/"actor":"carl"/', '"actor":"carl"', "model.approvals_log_complete",
                                    verdicts={"model.intact": UNDECIDED}),
    "approvals_end_cut": on_host("record", f"wc -l < {LOG} > /run/lines; sed -i '$d' {LOG}",
                                 f"wc -l < {LOG} | cmp -s - /run/lines || echo less", "^less$", "model.approvals_log_complete"),
    "pointer_moved_by_hand": edited(POINTER, 's/"size":[0-9]*,"v/"size":1,"v/', '"size":1,"v', "model.approvals_log_complete"),
    "approval_signature_removed": Fault("model host", "record", red("model.approvals_log_complete"), unsigned_line, signatures, restore),
    "bot_started_with_another_model": unit(
        "ExecStartPre=+/bin/sh -c 'head -c 4096 /dev/urandom > /opt/other.onnx; chmod 0644 /opt/other.onnx'\nExecStart=\n"
        "ExecStart=/usr/bin/python3 /opt/model_bot.py --model /opt/other.onnx", "systemctl show -P ExecStart bot-live", "other.onnx",
        "model.approved_pointer_only", "model.approved_pointer_only@live"),
    "bot_holds_a_candidate_open": unit(
        f"User=root\nExecStart=\nExecStart=/bin/sh -c 'exec /usr/bin/python3 /opt/model_bot.py --hold {CANDIDATE.replace('$', '$$')}'",
        "ls -l /proc/$(systemctl show -P MainPID bot-live)/fd", "candidates/", "model.approved_pointer_only",
        "model.approved_pointer_only@live", "isolation.closed_since_start"),
    "model_integrity_switched_off": of_config('s/"VERIFY_MODEL_INTEGRITY": true/"VERIFY_MODEL_INTEGRITY": false/',
                                              '"VERIFY_MODEL_INTEGRITY": false', "model.integrity_gate_on"),
    "downtime_in_local_time": of_config("s/UTC/Europe\\/Berlin/", "Europe/Berlin", "downtime.window_configured"),
    "integrity_check_skipped": in_golive(REGISTRY, "            problems = self._intact(digest)\n", "            problems = []\n",
                                         "model.tampered_refused"),
    "confirm_defaults_to_true": in_golive("golive.model_registry.task", '"confirm": {"type": "bool", "default": False}',
                                          '"confirm": {"type": "bool", "default": True}', "model.promotion_requires_confirm"),
    "approvals_not_asked_for": in_golive(
        "golive.model_registry.records", "    if best:\n", "    return Approval(None, b'{}', {}, [])\n    if best:\n",
        "model.promotion_requires_people"),
    "window_not_asked_for": in_golive(REGISTRY, "        if not window.is_open(now, start, end) and force is None:",
                                      "        if False:", "model.promotion_requires_people"),
    "rollback_goes_unlogged": in_golive(
        REGISTRY, APPENDS, f"            try:\n    {APPENDS}            except Exception:\n                pass\n",
        "model.rollback_audited"),
    "gate_always_passes": in_profile({"model_profile": {**m.PROFILE, **WIDE}}, "model.gates_refuse_bad_candidate"),
    **{f"{gate}_gate_passes_all": in_golive(
        GATES, "    return [judgement.decide(name, ask) for name, ask in asked]",
        f"    return [Judgement(name, 'pass', [], {{}}) if name == {word} else judgement.decide(name, ask) for name, ask in asked]",
        "model.gates_refuse_bad_candidate") for gate, word in (("integrity", "INTEGRITY"), ("schema", "SCHEMA"), ("risk", "RISK_CHECKS"))},
    "lineage_removed": edited(POINTER, 's/"dataset":"sha256:[0-9a-f]*"/"dataset":"unknown"/', '"dataset":"unknown"', "model.lineage_known",
                              "model.approvals_log_complete"),
    "live_feature_shifted": edited("/var/lib/bot/live/features.json", "s/\\[100, 400, 400, 100\\]/[10, 10, 80, 900]/", "900",
                                   "model.features_stable"),
    "bot_in_swing_group": on_host("file", "gpasswd -a bot swing-readers", "id bot", "swing-readers", "isolation.no_swing_access"),
    "swing_in_readers_group": on_host("file", "gpasswd -a swing model-readers", "id swing", "model-readers",
                                      "isolation.no_swing_access@reverse"),
    "swing_root_mounted_into_the_unit": unit(
        f"ExecStartPre=+/bin/sh -c 'rm -rf /srv/open; cp -r {SWING} /srv/open; chmod -R a+rX /srv/open'\n"
        f"BindReadOnlyPaths=-/srv/open:{SWING}", "cat /proc/$(systemctl show -P MainPID bot-live)/mountinfo", f"/srv/open {SWING}",
        "isolation.no_swing_access", "isolation.closed_since_start"),
    # The account is in no such group: only the rights of the process itself show it.
    "bot_started_in_swing_group": unit("SupplementaryGroups=swing-readers", f"{STATUS} | grep Groups; getent group swing-readers",
                                       r"swing-readers:x:\d+", "isolation.closed_since_start"),
    "bot_may_gain_rights": unit("NoNewPrivileges=no", f"{STATUS} | grep NoNewPrivs", r"NoNewPrivs:\s+0", "isolation.closed_since_start"),
    "swing_file_handed_to_the_bot": unit(
        f"StandardInput=file:{SWING}/models/handed", "readlink /proc/$(systemctl show -P MainPID bot-live)/fd/0", "models/handed$",
        "isolation.closed_since_start", before=f"echo x > {SWING}/models/handed"),
    "swing_file_linked_beside": on_host("file", f"echo x > {SWING}/models/linked; ln {SWING}/models/linked /srv/linked",
                                        "stat -c %h /srv/linked", "^2$", "isolation.closed_since_start"),
    "code_names_swing": on_host("file", f"echo 'LOOK_AT = \"{SWING}\"' >> /opt/bot_code/trade.py", "tail -1 /opt/bot_code/trade.py",
                                "swing", "isolation.no_swing_references"),
    "training_at_noon": Fault("model host", "record", red("training.only_in_downtime"), trained(3), noon, restore),
    "training_at_noon_of_the_last_day": Fault(
        "model host", "record", red("training.only_in_downtime", "training.only_in_downtime@last_day"), trained(0), noon, restore),
}
