"""quiet_key: the drill behind exchange.key.quiet_when_stopped. Asks, waits, asks with the next nonce, and signs what was seen.

The question goes out from the bot's host, where the key's address list lets it, while the bot is seen stopped; the wait is the
profile's `exchange_key_quiet_s`. A record of this release that holds is not made twice.
"""
from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from golive import envelope, rehearsal_signers, secrets, session, subject
from golive.errors import GoliveError, Undecided
from golive.exchange import quiet
from golive.key_action import ask_key
from golive.money import MoneyAction

LAB_ISSUER = "lab-drill"


class ActionModule(MoneyAction):
    """Task `quiet_key:` on a bot's host. In production `issuer` and `key` name who signs drills; in a rehearsal the lab does."""

    rest = staticmethod(time.sleep)

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({
            "issuer": {"type": "str", "default": LAB_ISSUER}, "key": {"type": "path"}, "lasts_days": {"type": "float", "default": 90.0}})
        values = self.profile_of(joined)
        directory = session.ROOT / str(values["evidence_directory"])
        try:
            about = subject.of("current", {"run_dir": str(joined.run.path)})
        except Undecided as exc:
            raise GoliveError(exc.reason, where=host, todo="run the journey up to deploy before") from None
        now = datetime.now(UTC)
        good, _bad = envelope.reader(session.ROOT, joined.system, now, rehearsal=joined.rehearsal).read_all(directory, "drill")
        held = [one for one in good if one.subject == about and one.payload.get("name") == quiet.NAME and one.payload.get("passed")]
        if held or self._task.check_mode:
            return {"changed": False, "record": held[0].id if held else None, "asked": False}
        key = self._key(joined, given)
        payload = self._drill(joined, values, task_vars)
        data = envelope.build(kind="drill", name=quiet.NAME, system=joined.system, subject=about, issued=now,
                              lasts=timedelta(days=given["lasts_days"]), issuer=given["issuer"], role="issuer", payload=payload)
        path = envelope.write(directory, data, key, given["issuer"])
        answer = {"changed": False, "record": path.stem, "asked": True, "passed": payload["passed"], "result": payload["result"]}
        if not payload["passed"]:
            raise GoliveError("somebody used the trading key while the bot was stopped", where=host,
                              todo="delete the key at the venue now, then run playbooks/operate/rotate_secrets.yml")
        return answer

    def _drill(self, joined: session.Session, values: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        material = secrets.resolve(str(values["exchange_key_credential"]), task_vars, self._templar.template)
        asked = {"venue": values["exchange_venue"], "key_material": material, "base_url": values.get("exchange_url"),
                 "ca_file": values.get("exchange_ca_file"), "rehearsal": joined.rehearsal, "nonce_source": "bot_stopped",
                 "nonce_unit": values["bot_nonce_unit"], "bot_units": values["bot_live_starters"], "allow_any": True, "enforce": False}
        first = self._ask(asked, task_vars)
        if "nonce.spent" not in first:
            raise GoliveError("the first question could not be asked", where=quiet.NAME, found=first.get("reason"))
        self.rest(float(values["exchange_key_quiet_s"]))
        return quiet.drill_payload(first, self._ask({**asked, "quiet_since": first["nonce.spent"]}, task_vars))

    def _ask(self, arguments: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        answered = ask_key(self, {name: value for name, value in arguments.items() if value is not None}, task_vars)
        if "facts" not in answered:
            raise GoliveError("the question could not be asked", where=quiet.NAME, found=str(answered.get("msg", "no answer"))[:300])
        found: dict[str, Any] = answered["facts"]
        return found

    @staticmethod
    def _key(joined: session.Session, given: dict[str, Any]) -> Path:
        if joined.rehearsal:
            return rehearsal_signers.key_of(session.ROOT, joined.system, LAB_ISSUER)
        if not given["key"] or given["issuer"] == LAB_ISSUER:
            raise GoliveError("nobody was named who signs drills", where=quiet.NAME, todo="give issuer and key, as enrolled in roles.yml")
        return Path(given["key"])
