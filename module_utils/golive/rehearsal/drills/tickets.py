"""Drills of the ticket: every wrong kind is delivered to the installed verifier of the bot's host, and a right one as control stimulus.

They are delivered to a copy of the arming directory in /run, with the host's own policy, signers, release and configuration: the
verifier is the real one, and nothing that is armed is touched.
"""
from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

from ... import rehearsal_signers, session, signing, ticket
from ...errors import GoliveError
from .scene import Scene

ROOT = "/run/golive-ticket-drill"
VERIFIER = "/usr/local/lib/golive/ticket.py"
LIMITS = {"max_positions": 1000000}
# On the host: copies what the verifier judges by, delivers each case, says how each ended, and takes everything away again.
_HOST = f"""import base64, json, os, shutil, subprocess, sys
root, given = {ROOT!r}, json.loads(sys.stdin.read())
shutil.rmtree(root, ignore_errors=True)
os.umask(0o022)
for place in ("etc/golive/arm", "etc/bot", "opt/bot", "run/bot/live"): os.makedirs(os.path.join(root, place))
try:
    for name in ("etc/golive/arm/allowed_signers", "etc/bot/live.json"): shutil.copy("/" + name, os.path.join(root, name))
    os.symlink("/opt/bot/releases", root + "/opt/bot/releases")
    os.symlink(os.readlink("/opt/bot/current"), root + "/opt/bot/current")
    found = []
    for case in given:
        with open(root + "/etc/golive/arm/policy.json", "w") as out: json.dump(case["policy"], out)
        shutil.rmtree(root + "/delivery", ignore_errors=True)
        os.mkdir(root + "/delivery")
        for name, text in case["files"].items():
            with open(os.path.join(root, "delivery", name), "wb") as out: out.write(base64.b64decode(text))
        done = subprocess.run([sys.executable, "-ISE", {VERIFIER!r}, "--root", root, "install", "--from", root + "/delivery"],
                              capture_output=True, text=True)
        found.append([done.returncode, done.stderr.strip()[:300]])
    print(json.dumps(found))
finally:
    shutil.rmtree(root, ignore_errors=True)
"""
Found = tuple[dict[str, Any], int]


def subject_script(root: str = "/") -> str:
    """Return the text that lets the installed verifier say what a ticket for a root of the bot's host has to name."""
    return f"""import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("golive_ticket", {VERIFIER!r})
module = importlib.util.module_from_spec(spec); sys.modules["golive_ticket"] = module; spec.loader.exec_module(module)
print(json.dumps(module.Host({root!r}).subject("/opt/bot/current", "/etc/bot/live.json", {sorted(LIMITS)!r})))
"""


def drafted(policy: Mapping[str, Any], subject: Mapping[str, str], **changes: Any) -> dict[str, Any]:
    """Return one good delivery, `{policy, files}`, signed by the lab's people."""
    draft = _Draft(policy, subject)
    return draft.case(draft.text(**changes))


def refuse_tickets(scene: Scene) -> Found:
    """Deliver thirteen wrong tickets and a right one; the verifier must refuse each wrong one, by its own word."""
    policy = json.loads(scene.bot.need("cat", "/etc/golive/arm/policy.json"))
    subject = json.loads(scene.bot.need("python3", "-ISB", "-c", subject_script()))
    cases = _cases(policy, subject)
    answers = json.loads(scene.bot.need("python3", "-ISB", "-c", _HOST, stdin=json.dumps([one for _word, one in cases])))
    ended = {word: (rc, said) for (word, _case), (rc, said) in zip(cases, answers, strict=True)}
    control = ended.pop("control")
    otherwise = sorted(word for word, (rc, said) in ended.items() if rc != 0 and not said.startswith(f"ticket: {word.split('/')[0]}:"))
    return {"accepted": sum(rc == 0 for rc, _said in ended.values()), "control_accepted": control[0] == 0,
            "refused_by_another_word": otherwise, "delivered": sorted(ended)}, len(ended)


class _Draft:
    """Tickets and deliveries for one host, as good as the changes let them be."""

    def __init__(self, policy: Mapping[str, Any], subject: Mapping[str, str]) -> None:
        self.now = datetime.now(timezone.utc)
        self._policy, self._subject = policy, subject
        self.signers = [_holder(policy, role) for role in policy["roles"]]

    def text(self, **changes: Any) -> bytes:
        """Return a ticket."""
        policy, later = self._policy, ticket.utc(self.now + timedelta(hours=1))
        return ticket.encode({
            "format": 1, "system": policy["system"], "host": policy["host"], "rehearsal": policy["rehearsal"], "venue": policy["venue"],
            "release": dict(self._subject), "limits": LIMITS, "stage": "drill", "not_before": ticket.utc(self.now - timedelta(minutes=1)),
            "budget": {"loss": "0", "deadline": later, "sample": {}}, "nonce": secrets.token_hex(16), "expires": later,
            "audit_head": "0:sha256:" + "0" * 64, "epoch": 0, "key_fingerprint": "0" * 16, "people": policy["people"], **changes})

    def case(self, data: bytes, by: Mapping[str, str] | None = None, namespace: str = signing.ARM, signed: bytes | None = None,
             **rules: Any) -> dict[str, Any]:
        """Return a delivery: `by` names whose key signs for whom, `signed` another text that is signed instead, `rules` another policy."""
        names = {name: name for name in self.signers} if by is None else by
        system = str(self._policy["system"])
        files = {f"ticket.json.{name}.sig": _sign(system, key, signed or data, namespace) for name, key in names.items()}
        return {"policy": {**self._policy, **rules},
                "files": {name: base64.b64encode(one).decode() for name, one in {"ticket.json": data, **files}.items()}}


def _cases(policy: Mapping[str, Any], subject: Mapping[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """Return (the word it must be refused by, the delivery); first the control, which the replay then repeats."""
    draft = _Draft(policy, subject)
    now, text, case = draft.now, draft.text, draft.case
    outsider = next((name for name, entry in policy["persons"].items() if not set(entry["roles"]) & set(policy["roles"])), None)
    if outsider is None or len(draft.signers) < 2:
        raise GoliveError("the drill needs two asked roles and a person with none of them", where="roles.yml")
    right = case(text())
    first, second = draft.signers[0], draft.signers[1]
    return [("control", right), ("replayed", right), ("expired", case(text(expires=ticket.utc(now - timedelta(seconds=1))))),
            ("not_yet_valid", case(text(not_before=ticket.utc(now + timedelta(minutes=30))))), ("too_few", case(text(), {first: first})),
            ("same_key", case(text(), {first: first, second: first})),
            ("wrong_role", case(text(), {first: first, outsider: outsider})), ("wrong_namespace", case(text(), namespace=signing.ATTEST)),
            ("wrong_system", case(text(system="another"))), ("wrong_host", case(text(host="another"))),
            ("rehearsal_fence", case(text(rehearsal=not policy["rehearsal"]))),
            ("lab_signed", case(text(rehearsal=False), rehearsal=False)),
            ("changed_subject/release", case(text(release={**subject, "tree": "sha256:" + "0" * 64}))),
            ("changed_subject/text", case(text(), signed=text(stage="another")))]


def _holder(policy: Mapping[str, Any], role: str) -> str:
    name = next((one for one, entry in sorted(policy["persons"].items()) if role in entry["roles"]), None)
    if name is None:
        raise GoliveError(f"no enrolled person has the role {role}", where="policy.json of the bot's host")
    return str(name)


def _sign(system: str, principal: str, data: bytes, namespace: str) -> bytes:
    return signing.sign(data, rehearsal_signers.key_of(session.ROOT, system, principal), namespace)


DRILLS = {"refuse_tickets": refuse_tickets}
