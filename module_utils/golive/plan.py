"""Who looks at what: the controls of a phase become one plan per host that looks (M13), equal questions asked once."""
from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import bundle, canonical, catalogue
from .errors import GoliveError

CONTROLLER = "controller"
SLACK_S = 5.0          # what a host may need beside its probes: start of Python, reading of the stream
LOOK_WORDS = {"$subject": "subject", "$subject_address": "address"}


@dataclass(frozen=True)
class Target:
    """One thing to observe: which control, about which host, from where."""

    control: str
    subject: str
    vantage: str
    host: str          # the host that looks


def targets(controls: Mapping[str, Mapping[str, Any]], groups: Mapping[str, list[str]], host: str | None = None) -> list[Target]:
    """Return every (control, subject, vantage) with the host that looks; of one host only, where it is named.

    Raises GoliveError for a group nobody is in.
    """
    found: list[Target] = []
    for name, control in controls.items():
        if control["applies"] is False or not control["built"]:
            continue
        vantage, on = control["seen_from"], control["on"]
        subjects = [CONTROLLER] if on == CONTROLLER else _members(groups, on, name)
        if vantage == "target":
            found += [Target(name, subject, vantage, subject) for subject in _only(subjects, host)]
        elif vantage == "controller":
            found += [Target(name, subject, vantage, CONTROLLER) for subject in subjects if host in (None, CONTROLLER)]
        else:
            seeing = _only(_members(groups, "outsiders" if vantage == "outside" else str(control["from"]), name), host)
            found += [Target(name, subject, vantage, one) for one in seeing for subject in subjects if one != subject]
    return found


def _only(hosts: list[str], host: str | None) -> list[str]:
    return hosts if host is None else [host] if host in hosts else []


def _members(groups: Mapping[str, list[str]], group: str, control: str) -> list[str]:
    members = list(groups.get(group) or [])
    if not members:
        raise GoliveError(f"{control}: no host is in group {group}", todo="fill the group in the inventory")
    return members


def build(run: str, phase: str, host: str, wanted: list[Target], controls: Mapping[str, Mapping[str, Any]],
          addresses: Mapping[str, str], *, rehearsal: bool) -> dict[str, Any]:
    """Return the plan of one seeing host: its questions, each once, each with the controls that need the answer."""
    probes: dict[str, dict[str, Any]] = {}
    for target in wanted:
        control = controls[target.control]
        ask = _filled(control["ask"], {"subject": target.subject, "address": addresses.get(target.subject, target.subject)})
        key = canonical.digest({"probe": control["probe"], "ask": ask, "subject": target.subject})
        if key not in probes:
            declared = bundle.probe(control["probe"])
            probes[key] = {"id": f"p{len(probes)}", "probe": control["probe"], "subject": target.subject, "ask": ask,
                           "deadline_s": declared.deadline_s, "digest": declared.digest, "controls": []}
        probes[key]["controls"].append({"control": target.control, "vantage": target.vantage})
    entries = list(probes.values())
    return {"run": run, "phase": phase, "host": host, "rehearsal": rehearsal, "nonce": secrets.token_hex(8),
            "deadline_s": SLACK_S + sum(entry["deadline_s"] for entry in entries), "probes": entries}


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        if value.startswith(_DELIVERED):    # each host may have a secret of its own: a reference that names the subject
            return value.replace("$subject", words["subject"])
        return words[LOOK_WORDS[value]] if value in LOOK_WORDS else value
    if isinstance(value, dict):
        return {key: _filled(one, words) for key, one in value.items()}
    return [_filled(one, words) for one in value] if isinstance(value, list) else value


_DELIVERED = ("vault:", "index:", "sops:", "systemd_creds:", "env_file:")


def secret_references(plan: Mapping[str, Any]) -> set[str]:
    """Return the references to the store that a plan's questions name; other credentials lie on the host that looks."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, str) and value.startswith(_DELIVERED) and "#" in value:
            found.add(value)
        elif isinstance(value, dict):
            for one in value.values():
                walk(one)
        elif isinstance(value, list):
            for one in value:
                walk(one)

    walk([entry["ask"] for entry in plan["probes"]])
    return found


def observations(plan: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]], missing: str, at: str) -> list[dict[str, Any]]:
    """Join a plan with what came back: one observation per control, subject and vantage; an answer that is not there is undecided.

    Only the facts that a probe declares are kept: what a host sends is hostile.
    """
    found: list[dict[str, Any]] = []
    for entry in plan["probes"]:
        declared = bundle.probe(entry["probe"])
        answer = answers.get(entry["id"])
        if not isinstance(answer, dict):
            answer = {"at": at, "undecided": missing}
        raw = answer.get("facts")
        facts = {str(k): v for k, v in raw.items() if catalogue.declared(str(k), declared.facts)} if isinstance(raw, dict) else {}
        for use in entry["controls"]:
            found.append({"control": use["control"], "subject": entry["subject"], "vantage": use["vantage"], "host": plan["host"],
                          "probe": entry["probe"], "probe_digest": entry["digest"], "at": str(answer.get("at") or at),
                          "took_ms": answer.get("took_ms"), "facts": facts, "witness": answer.get("witness") or declared.witness,
                          "opportunities": answer.get("opportunities"), "undecided": answer.get("undecided"), "until": answer.get("until")})
    return found
