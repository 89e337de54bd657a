"""One act on the secret store, from the controller: unseal, back up, drill the restore, review access, rotate, break the glass."""
from __future__ import annotations

import json
import secrets as random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from golive import acts, rundir, secrets, session
from golive.canonical import utc
from golive.errors import GoliveError
from golive.rehearsal import clients
from golive.store import audit_reading, break_glass, bring_up, client, config, nodes, people, review, rotation, settings, snapshot, wanted

ACTS = ("states", "unseal", "snapshot", "restore_drill", "review", "stage", "switch", "finish", "revoke", "rotate_role", "break_glass")
SPEC: dict[str, dict[str, Any]] = {
    "act": {"type": "str", "required": True, "choices": list(ACTS)}, "system": {"type": "str", "required": True},
    "keepers": {"type": "list", "elements": "str", "default": []}, "threshold": {"type": "int", "default": 2}, "shares": {"type": "path"},
    "rehearsal_people": {"type": "path"}, "folder": {"type": "path"}, "binary": {"type": "path"},
    "reference": {"type": "str", "no_log": False}, "new": {"type": "str", "no_log": False}, "refused": {"type": "bool", "default": False},
    "role": {"type": "str"}, "admin_url": {"type": "str"}, "admin_token": {"type": "str", "no_log": False},
    "config": {"type": "dict", "default": {}}, "processes": {"type": "dict", "default": {}},
    "audit_files": {"type": "list", "elements": "str", "default": []}, "window_days": {"type": "int", "default": 90},
    "who": {"type": "str", "default": ""}, "reason": {"type": "str", "default": ""}, "minutes": {"type": "int", "default": 30},
    "close": {"type": "bool", "default": False}}


class ActionModule(ActionBase):
    """Task `store_act:`; see library/store_act.py for the arguments. A dry run predicts and writes nothing."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec(SPEC)
        try:
            done = getattr(self, f"_{given['act']}")(given, task_vars, bool(self._task.check_mode))
        except GoliveError as exc:
            return {**result, "failed": True, "changed": False, "msg": str(exc)}
        return {**result, "changed": bool(done.get("changes")), "changes": [], **done}

    # -- the nodes -----------------------------------------------------------------------------------------------------

    def _states(self, _given: dict[str, Any], task_vars: dict[str, Any], _dry: bool) -> dict[str, Any]:
        found = nodes.look(self._settings(task_vars), settings.addresses(task_vars, self._templar.template))
        return {"nodes": [{"address": one.address, "state": one.state, "words": one.words} for one in found], "told": nodes.told(found)}

    def _unseal(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        store, changes = self._settings(task_vars), []
        found = nodes.look(store, settings.addresses(task_vars, self._templar.template))
        for node in found:
            if node.state == "sealed":
                changes.append(_change(f"vault:{node.address}", "unseal"))
                if not dry:
                    bring_up._unseal_member(replace(store, address=node.address), self._keepers(given))
        missing = [node for node in found if node.state in {"missing", "stranger", "empty"}]
        if missing:
            raise GoliveError("not every node of the store can be unsealed", found=nodes.told(found),
                              todo="start what is missing, then run again")
        return {"changes": changes, "told": nodes.told(found)}

    # -- backup --------------------------------------------------------------------------------------------------------

    def _snapshot(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        change = [_change("vault_snapshot:" + given["system"], "create")]
        if dry:
            return {"changes": change}
        path = snapshot.take(self._login(task_vars), Path(given["folder"]), "kv", given["system"])
        return {"changes": change, "manifest": path.name}

    def _restore_drill(self, given: dict[str, Any], _task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        if dry:
            return {"changes": [], "found": None}
        found = snapshot.drill(snapshot.newest(Path(given["folder"])), Path(given["binary"]), self._keepers(given))
        if not found["secrets"]:
            raise GoliveError("the backup holds no secret, so restoring it proves nothing", where=given["system"], todo="write one first")
        if found["equal"] != found["secrets"]:
            raise GoliveError("the restored store is not the one that was saved",
                              found=f"{found['equal']} of {found['secrets']} secrets are equal",
                              todo="look at " + ", ".join((found["differing"] + found["missing"])[:5]))
        return {"changes": [], "found": found}

    # -- access --------------------------------------------------------------------------------------------------------

    def _review(self, given: dict[str, Any], task_vars: dict[str, Any], _dry: bool) -> dict[str, Any]:
        connected, system = self._login(task_vars), given["system"]
        more = wanted.from_inventory(given["config"])
        engines = {path: str(one.get("type")) for path, one in more.mounts.items()}
        want = wanted.joined(wanted.system_wants(system, [], [], engines=engines, processes=given["processes"]),
                             wanted.processes_want(system, given["processes"]), more)
        held = sorted(snapshot.contents(connected, "kv", system, b"review"))
        read = self._audit(given, task_vars)
        found = review.review(config.current(connected, want), want, held, read["used"])
        found["audit"] = {name: read[name] for name in ("lines", "broken", "first", "last")}
        record = {"at": utc(), "system": system, "window_days": given["window_days"], **found}
        if given["folder"]:
            Path(given["folder"]).mkdir(mode=0o700, parents=True, exist_ok=True)
            rundir.write_atomic(Path(given["folder"]) / f"access_review-{record['at'].replace(':', '').replace('-', '')}.json",
                                json.dumps(record, indent=1, sort_keys=True).encode("utf-8"), 0o600)
        return {"found": record, "problems": found["problems"]}

    def _audit(self, given: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        """Count on this task's host, where the log lies; only counts and paths come back."""
        nonce = random.token_hex(8)
        since = utc(_ago(given["window_days"]))
        asked = {"nonce": nonce, "files": given["audit_files"], "mount": "kv", "since": since}
        source = Path(audit_reading.__file__).read_text("utf-8") + f"\n\nmain(json.loads({json.dumps(json.dumps(asked))}))\n"
        python = str(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3")
        out = self._low_level_execute_command(f"{python} -ISE -", in_data=source.encode(), sudoable=True)
        line = next((one for one in out["stdout"].splitlines() if one.startswith(f"--golive {nonce} ")), None)
        if line is None:
            raise GoliveError("the audit log was not read", found=f"exit {out['rc']}",
                              todo="look whether the files of secrets_audit_files are there")
        found: dict[str, Any] = json.loads(line[len(f"--golive {nonce} "):])
        return found

    # -- rotation ------------------------------------------------------------------------------------------------------

    def _stage(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        connected = self._login(task_vars)
        value = secrets.resolve(given["new"], task_vars, self._templar.template) if given["new"] else None
        waits = rotation.state(connected, given["reference"]).step == "staged" and value is None
        changed = not waits if dry else rotation.stage(connected, given["reference"], value)
        return {"changes": [_change(f"vault_staged:{given['reference']}", "create")] if changed else [],
                "staged": rotation.staged_reference(given["reference"])}

    def _switch(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        connected, reference = self._login(task_vars), given["reference"]
        changed = rotation.state(connected, reference).step != "switched" if dry else rotation.switch(connected, reference)
        return {"changes": [_change(f"vault_secret:{given['reference']}", "update")] if changed else []}

    def _finish(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        changed = True if dry else rotation.finish(self._login(task_vars), given["reference"], refused=given["refused"])
        return {"changes": [_change(f"vault_old_versions:{given['reference']}", "remove")] if changed else []}

    def _revoke(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """In a rehearsal the lab plays the person who deletes the old key at the venue."""
        if not session.join(task_vars).rehearsal:
            raise GoliveError("golive holds no right to delete keys at a venue", todo="delete the old key there yourself, then run again")
        old = json.loads(rotation.previous(self._login(task_vars), given["reference"]))
        store = self._settings(task_vars)
        exchange = clients.AdminApi(given["admin_url"], store.ca_file,
                                    secrets.resolve(given["admin_token"], task_vars, self._templar.template))
        alive = any(one["key"] == old["key"] and not one["revoked"] for one in exchange.ask("GET", "keys")["keys"])
        if alive and not dry:
            exchange.ask("POST", f"keys/{old['key']}/revoke", {})
        return {"changes": [_change(f"sandbox_key:{rotation.told(old['key'])}", "remove")] if alive else []}

    def _rotate_role(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        mount, _, name = str(given["role"]).partition("/")
        if not dry:
            connected = self._login(task_vars)
            client.said(lambda: connected.write_data(f"{mount}/rotate-role/{name}", data={}), f"rotate the password of {given['role']}")
        return {"changes": [_change(f"vault_database_password:{given['role']}", "update")]}

    # -- emergency -----------------------------------------------------------------------------------------------------

    def _break_glass(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        joined, name = session.join(task_vars), f"vault_break_glass:{given['system']}"

        def note(act: str, detail: dict[str, Any]) -> None:
            acts.note(joined.run, act, given["system"], detail)

        if given["close"]:
            there = break_glass.place(given["system"]).is_file()
            if not dry:
                there = break_glass.close(secrets.where(task_vars, self._templar.template), given["system"], note)
            return {"changes": [_change(name, "remove")] if there else []}
        if dry:
            return {"changes": [_change(name, "create")]}
        found = break_glass.open_(secrets.where(task_vars, self._templar.template), self._keepers(given), given["system"], given["who"],
                                  given["reason"], given["minutes"], note)
        return {"changes": [_change(name, "create")], **found}

    # -- what all need -------------------------------------------------------------------------------------------------

    def _settings(self, task_vars: dict[str, Any]) -> settings.Settings:
        return settings.from_variables(task_vars, self._templar.template)

    def _login(self, task_vars: dict[str, Any]) -> Any:
        return client.login(secrets.where(task_vars, self._templar.template), secrets.run_of(task_vars))

    @staticmethod
    def _keepers(given: dict[str, Any]) -> bring_up.Keepers:
        secret = Path(given["rehearsal_people"]) if given["rehearsal_people"] else None
        public = people.enrol(secret, given["keepers"]) if secret else []
        return bring_up.Keepers(given["keepers"], public, given["threshold"], Path(given["shares"]), secret)


def _change(name: str, op: str) -> dict[str, Any]:
    return {"object": name, "op": op, "before": None, "after": None}


def _ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
