"""One act on the secret store, from the controller: unseal, back up, drill the restore, review access, rotate, break the glass."""
from __future__ import annotations

import hashlib
import hmac
import json
import secrets as random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from golive import acts, rundir, session
from golive.canonical import utc
from golive.errors import GoliveError
from golive.rehearsal import clients
from golive.store import (
    agent_host,
    audit_reading,
    break_glass,
    bring_up,
    client,
    config,
    node_host,
    nodes,
    proving,
    restoring,
    review,
    rolling,
    rotation,
    settings,
    snapshot,
    wanted,
)
from golive.store.acting import KEEPERS, StoreAction
from golive.store.acting import change as _change

ACTS = ("states", "unseal", "snapshot", "restore_drill", "review", "stage", "switch", "finish", "rotation", "revoke", "prove",
        "rotate_role", "break_glass", "restart", "delivered", "restore")


DELIVERED_S = 45    # a rotation leaves the bot without its key for at most 60 s


class ActionModule(StoreAction):
    """Task `store_act:`; see library/store_act.py for the arguments. A dry run predicts and writes nothing."""

    SPEC: ClassVar[dict[str, dict[str, Any]]] = {
        **KEEPERS, "act": {"type": "str", "required": True, "choices": list(ACTS)}, "system": {"type": "str", "required": True},
        "folder": {"type": "path"}, "binary": {"type": "path"}, "reference": {"type": "str", "no_log": False},
        "new": {"type": "str", "no_log": False}, "refused": {"type": "bool", "default": False}, "role": {"type": "str"},
        "proof": {"type": "str", "default": proving.BEARER, "choices": [proving.BEARER, proving.JWT]}, "url": {"type": "str"},
        "admin_url": {"type": "str"}, "admin_token": {"type": "str", "no_log": False}, "config": {"type": "dict", "default": {}},
        "processes": {"type": "dict", "default": {}}, "audit_files": {"type": "list", "elements": "str", "default": []},
        "window_days": {"type": "int", "default": 90}, "who": {"type": "str", "default": ""}, "reason": {"type": "str", "default": ""},
        "minutes": {"type": "int", "default": 30}, "address": {"type": "str"},
        "files": {"type": "list", "elements": "path", "default": []},
        "turn": {"type": "str", "default": "standby", "choices": ["standby", "active"]}, "close": {"type": "bool", "default": False}}

    def on_store(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Do the act that is named."""
        done: dict[str, Any] = getattr(self, f"_{given['act']}")(given, task_vars, dry)
        return done

    # -- the nodes -----------------------------------------------------------------------------------------------------

    def _states(self, _given: dict[str, Any], task_vars: dict[str, Any], _dry: bool) -> dict[str, Any]:
        found = nodes.look(self.settings(task_vars), settings.addresses(task_vars, self.template))
        return {"nodes": [{"address": one.address, "state": one.state, "words": one.words} for one in found], "told": nodes.told(found)}

    def _unseal(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        store, changes = self.settings(task_vars), []
        found = nodes.look(store, settings.addresses(task_vars, self.template))
        for node in found:
            if node.state == "sealed":
                changes.append(_change(f"vault:{node.address}", "unseal"))
                if not dry:
                    bring_up.unseal_member(replace(store, address=node.address), self.keepers(given))
        missing = [node for node in found if node.state in {"missing", "stranger", "empty"}]
        if missing:
            raise GoliveError("not every node of the store can be unsealed", found=nodes.told(found),
                              todo="start what is missing, then run again")
        return {"changes": changes, "told": nodes.told(found)}

    def _restart(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Restart this task's host's node, in its turn: `turn` says whether standbys or the active one are due."""
        store = replace(self.settings(task_vars), address=given["address"] or self.settings(task_vars).address)
        addresses = settings.addresses(task_vars, self.template)
        order = rolling.order(nodes.look(store, addresses))
        if store.address not in order:
            raise GoliveError("this host's node is none of vault_addresses", found=store.address, expected=", ".join(addresses))
        if (store.address == order[-1]) != (given["turn"] == "active"):
            return {"restarted": False}
        if not dry:
            rolling.restart(store, addresses, self.keepers(given), lambda: self._again(task_vars))
        return {"changes": [_change(f"vault:{store.address}", "restart")], "restarted": True}

    def _again(self, task_vars: dict[str, Any]) -> None:
        self.on_host(node_host, {"unit": "vault.service"}, task_vars)

    # -- backup --------------------------------------------------------------------------------------------------------

    def _snapshot(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        change = [_change("vault_snapshot:" + given["system"], "create")]
        if dry:
            return {"changes": change}
        path = snapshot.take(self.login(task_vars), Path(given["folder"]), "kv", given["system"])
        return {"changes": change, "manifest": path.name}

    def _restore_drill(self, given: dict[str, Any], _task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        if dry:
            return {"changes": [], "found": None}
        found = snapshot.drill(snapshot.newest(Path(given["folder"])), Path(given["binary"]), self.keepers(given))
        return {"changes": [], "found": self._equal(found, given)}

    @staticmethod
    def _equal(found: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """Return what was found. Raises GoliveError where the restored store is not the saved one."""
        if not found["secrets"]:
            raise GoliveError("the backup holds no secret, so restoring it proves nothing", where=given["system"], todo="write one first")
        if found["equal"] != found["secrets"]:
            raise GoliveError("the restored store is not the one that was saved",
                              found=f"{found['equal']} of {found['secrets']} secrets are equal",
                              todo="look at " + ", ".join((found["differing"] + found["missing"])[:5]))
        return found

    def _restore(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """The newest backup becomes the store of this task's host; a drill (`close`) ends with it sealed."""
        store = replace(self.settings(task_vars), address=given["address"])
        kept = settings.token_directory() / f"restore-{task_vars['inventory_hostname']}"
        steps = restoring.planned(store, kept)
        # A drill closes what it has opened: one that is sealed before and after was not changed.
        changes = [_change(f"vault:{store.address}", step) for step in steps if not (given["close"] and step == "unseal")]
        newest = snapshot.newest(Path(given["folder"]))
        alive = [one for one in nodes.look(store, settings.addresses(task_vars, self.template)) if one.serves]
        if not given["close"] and any(one.address != store.address for one in alive):
            raise GoliveError("the store that was saved still serves, and there may be one only", found=nodes.told(alive),
                              todo="stop it first; a drill may be run beside it")
        if dry:
            return {"changes": changes, "found": None}
        found = restoring.restore(store, newest, self.keepers(given), kept)
        if given["close"]:
            self._again(task_vars)
        return {"changes": changes, "found": self._equal(found, given)}

    # -- access --------------------------------------------------------------------------------------------------------

    def _review(self, given: dict[str, Any], task_vars: dict[str, Any], _dry: bool) -> dict[str, Any]:
        connected, system = self.login(task_vars), given["system"]
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
        asked = {"files": given["audit_files"], "mount": "kv", "since": utc(_ago(given["window_days"]))}
        return self.on_host(audit_reading, asked, task_vars)

    # -- rotation ------------------------------------------------------------------------------------------------------

    def _rotation(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Where a rotation stands, by the store's word alone; a dry run has staged nothing, so it cannot go on from there."""
        found = rotation.state(self.login(task_vars), given["reference"])
        return {"step": "predicted" if dry and found.step == "idle" else found.step, "version": found.version}

    def _stage(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        connected = self.login(task_vars)
        value = self.resolve(given["new"], task_vars) if given["new"] else None
        waits = rotation.state(connected, given["reference"]).step != "idle" and value is None
        changed = not waits if dry else rotation.stage(connected, given["reference"], value)
        return {"changes": [_change(f"vault_staged:{given['reference']}", "create")] if changed else [],
                "staged": rotation.staged_reference(given["reference"])}

    def _switch(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        connected, reference = self.login(task_vars), given["reference"]
        changed = rotation.state(connected, reference).step != "switched" if dry else rotation.switch(connected, reference)
        return {"changes": [_change(f"vault_secret:{reference}", "update")] if changed else []}

    def _delivered(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Wait until the agent on this task's host has laid down the value that the store holds now; told by a keyed hash."""
        if dry:
            return {}
        key, (path, *_) = random.token_bytes(32), given["files"]
        digest = hmac.new(key, self.resolve(given["reference"], task_vars).encode("utf-8"), hashlib.sha256).hexdigest()
        asked = {"path": path, "key": key.hex(), "digest": digest, "seconds": DELIVERED_S}
        if not self.on_host(agent_host, asked, task_vars)["delivered"]:
            raise GoliveError("the agent has not delivered the new value", where=path, found=f"not within {DELIVERED_S} s",
                              todo="look at its journal and at secrets_agent_interval; nothing was restarted")
        return {}

    def _finish(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        changed = True if dry else rotation.finish(self.login(task_vars), given["reference"], refused=given["refused"])
        return {"changes": [_change(f"vault_old_versions:{given['reference']}", "remove")] if changed else []}

    def _revoke(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        """In a rehearsal the lab plays the person who deletes the old key at the venue."""
        if not session.join(task_vars).rehearsal:
            raise GoliveError("golive holds no right to delete keys at a venue", todo="delete the old key there yourself, then run again")
        connected, reference = self.login(task_vars), given["reference"]
        if rotation.state(connected, reference).step != "switched":
            if dry:  # by then it will be
                in_use = json.loads(self.resolve(reference, task_vars))["key"]
                return {"changes": [_change(f"sandbox_key:{rotation.told(in_use)}", "remove")]}
            raise GoliveError(f"{reference} was not switched, so its old key is the one in use", todo="nothing was revoked")
        old = json.loads(rotation.previous(connected, reference))
        exchange = clients.AdminApi(given["admin_url"], self.settings(task_vars).ca_file, self.resolve(given["admin_token"], task_vars))
        alive = any(one["key"] == old["key"] and not one["revoked"] for one in exchange.ask("GET", "keys")["keys"])
        if alive and not dry:
            exchange.ask("POST", f"keys/{old['key']}/revoke", {})
        return {"changes": [_change(f"sandbox_key:{rotation.told(old['key'])}", "remove")] if alive else []}

    def _prove(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        if dry:
            return {"new": "not asked", "old": "not asked", "refused": False}
        connected, reference = self.login(task_vars), given["reference"]
        switched = rotation.state(connected, reference).step == "switched"
        old = rotation.previous(connected, reference) if switched else None
        return proving.tokens(given["url"], given["proof"], self.resolve(reference, task_vars), old, self.settings(task_vars).ca_file)

    def _rotate_role(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        role, changes = str(given["role"]), [_change(f"vault_database_password:{given['role']}", "update")]
        if dry:
            return {"changes": changes}
        connected, (mount, _, name) = self.login(task_vars), role.partition("/")
        before = proving.static_password(connected, role)
        client.said(lambda: connected.write_data(f"{mount}/rotate-role/{name}", data={}), f"rotate the password of {role}")
        after = proving.static_password(connected, role)
        if after == before:
            raise GoliveError(f"the store says that it rotated {role}, and the password is the old one")
        if not given["url"]:
            return {"changes": changes}
        told = proving.database(given["url"], before, after, self.settings(task_vars).ca_file)
        if not told["refused"]:
            raise GoliveError("the database did not refuse the old password", found=told["old"],
                              todo="look at pg_hba.conf: trust lets in anybody")
        return {"changes": changes, **told}

    # -- emergency -----------------------------------------------------------------------------------------------------

    def _break_glass(self, given: dict[str, Any], task_vars: dict[str, Any], dry: bool) -> dict[str, Any]:
        joined, name = session.join(task_vars), f"vault_break_glass:{given['system']}"

        def note(act: str, detail: dict[str, Any]) -> None:
            acts.note(joined.run, act, given["system"], detail)

        if given["close"]:
            there = break_glass.place(given["system"]).is_file()
            if not dry:
                there = break_glass.close(self.serving(task_vars), given["system"], note)
            return {"changes": [_change(name, "remove")] if there else []}
        if dry:
            return {"changes": [_change(name, "create")]}
        found = break_glass.open_(self.serving(task_vars), self.keepers(given), given["system"], given["who"],
                                  given["reason"], given["minutes"], note)
        return {"changes": [_change(name, "create")], **found}


def _ago(days: int) -> datetime:
    return datetime.now(UTC) - timedelta(days=days)
