"""report: what this run already knows: verdicts, audit chain, evidence keys, red proofs, waivers, and who can read it."""

from __future__ import annotations

import json
import stat
from datetime import datetime
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping

from .. import audit, bundle, canonical, envelope, people, signing, ticket
from ..errors import GoliveError, Undecided
from . import logs
from .look import Look, Observed

EXECUTOR = "local"
WITNESS = "golive"
DEADLINE_S = 30
ASK = {
    "question": "str; required; items, controls, phases, freshness, audit, issuers, red_proofs, privacy, secrets or waivers",
    "seeds": "list of str; optional; items: the lines of the list",
    "controls": "list of str; optional; controls: their ids",
    "phases": "list of str; optional; phases: their names",
    "severity": "str; optional; freshness: of which controls",
    "directory": "str; optional; folder of evidence, red proofs or waivers, from the repository's root",
    "max_age_days": "number; optional; red_proofs: older ones do not count",
    "heads": "str; optional; audit: file with heads that were carried to another host, from the repository's root",
    "references": "list of str; optional; secrets: references to what must stand nowhere",
    "system": "str; optional; the run's own is the default",
}
_GRADES = ("here", "adapter", "method")  # the strongest first
FACTS = {
    "failed": "int; verdicts that are fail",
    "undecided": "int; verdicts that are undecided",
    "missing": "list of str; controls without a verdict in this run",
    "complete": "bool; nothing asked for lacks its verdict",
    "same_release": "bool; catalogue and profile are still those that the run was opened with",
    "age_s": "number; since the oldest gate asked for",
    "oldest_age_s": "number; since the oldest observation asked for",
    "chain_intact": "bool",
    "chain_reason": "str; which line does not hold",
    "entries": "int; lines of the audit chain",
    "off_host_head_matches": "bool; every carried head lies on the chain",
    "shared_keys": "list of str; principals that sign with one key",
    "unknown_issuers": "list of str; records whose issuer may not issue them",
    "envelopes": "int; records that hold",
    "unproven": "list of str; automated controls without a red proof that counts",
    "grades": "dict; control: the strongest grade of its proofs that count",
    "readable_by_others": "list of str; files of the run that others may read",
    "files_read": "int",
    "secret_matches": "int; files in which a secret stands, in one of its spellings",
    "secret_files": "list of str",
    "open": "int; waivers",
    "expired": "list of str; waivers that no longer hold",
    "critical_longest_s": "number; longest life of a waiver of a critical control",
}


def observe(ask: Mapping[str, Any], look: Look) -> Observed:
    """Answer one question out of the run directory. Raises Undecided for a part of the run that is not there or damaged."""
    answer = _QUESTIONS.get(str(ask["question"]))
    if answer is None:
        raise Undecided("there is no question %s, only %s" % (str(ask["question"])[:40], ", ".join(sorted(_QUESTIONS))))
    try:
        return answer(ask, look)
    except GoliveError as exc:
        raise Undecided(str(exc)) from None


def _run(look: Look) -> Path:
    return Path(str(look.context["run_dir"]))


def _folder(ask: Mapping[str, Any], look: Look, key: str = "directory") -> Path:
    if not ask.get(key):
        raise Undecided("the question names no %s" % key)
    return Path(str(look.context["root"])) / str(ask[key])


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise Undecided("%s/%s is not there" % (path.parent.name, path.name)) from None
    except (OSError, ValueError, RecursionError) as exc:
        raise Undecided("%s/%s cannot be read: %s" % (path.parent.name, path.name, type(exc).__name__)) from None


def _gates(look: Look) -> Dict[str, Dict[str, Any]]:
    """Return the gates of this run by phase; a gate that is not there is not in it."""
    found: Dict[str, Dict[str, Any]] = {}
    for path in sorted(_run(look).glob("*/gate.json")):
        gate = _json(path)
        if not isinstance(gate, dict) or not isinstance(gate.get("verdicts"), list):
            raise Undecided("the gate of %s is damaged" % path.parent.name)
        found[path.parent.name] = gate
    return found


def _verdicts(look: Look) -> List[Dict[str, Any]]:
    return [one for gate in _gates(look).values() for one in gate["verdicts"] if isinstance(one, dict)]


def _compiled(look: Look) -> Dict[str, Any]:
    found = _json(_run(look) / "compiled.json")
    if not isinstance(found, dict) or not isinstance(found.get("controls"), dict):
        raise Undecided("the compiled catalogue of this run is damaged")
    return found


def _counted(wanted: List[str], look: Look) -> Observed:
    by_control: Dict[str, List[str]] = {}
    for one in _verdicts(look):
        by_control.setdefault(str(one.get("control")), []).append(str(one.get("verdict")))
    missing = sorted(name for name in set(wanted) if name not in by_control)
    words = [word for name in set(wanted) for word in by_control.get(name, [])]
    facts = {
        "failed": words.count("fail"), "undecided": words.count("undecided"), "missing": missing, "complete": not missing,
        "same_release": _same_release(look),
    }  # fmt: skip
    return Observed(facts, opportunities=len(words))


def _same_release(look: Look) -> bool:
    """Return whether catalogue and profile still have the digests under which the run was opened."""
    release = _json(_run(look) / "run.json").get("release") or {}
    profile = _json(_run(look) / "profile.json")
    return (
        bool(release)
        and release.get("catalogue") == canonical.digest(_compiled(look)["controls"])
        and release.get("profile") == profile.get("digest")
    )


def _items(ask: Mapping[str, Any], look: Look) -> Observed:
    seeds = {str(one) for one in ask.get("seeds") or []}
    listed = [item for section in _compiled(look).get("checklist") or [] for item in section.get("items") or []]
    found = {seed for item in listed for seed in item.get("seed") or []}
    if not seeds or not seeds <= found:
        raise Undecided("the list has no line %s" % (sorted(seeds - found) or ["at all"])[0])
    return _counted([name for item in listed if seeds & set(item["seed"]) for name in item.get("controls") or []], look)


def _controls(ask: Mapping[str, Any], look: Look) -> Observed:
    if not ask.get("controls"):
        raise Undecided("the question names no control")
    return _counted([str(one) for one in ask["controls"]], look)


def _phases(ask: Mapping[str, Any], look: Look) -> Observed:
    gates = _gates(look)
    names = [str(one) for one in ask.get("phases") or []]
    if not names:
        raise Undecided("the question names no phase")
    there = [gates[name] for name in names if name in gates]
    words = [one.get("verdict") for gate in there for one in gate["verdicts"]]
    facts: Dict[str, Any] = {
        "failed": words.count("fail"), "undecided": words.count("undecided"), "complete": len(there) == len(names),
        "missing": [name for name in names if name not in gates], "same_release": _same_release(look),
    }  # fmt: skip
    if there:
        facts["age_s"] = max(_age(gate.get("at"), look.now()) for gate in there)
    return Observed(facts, opportunities=len(words))


def _age(text: Any, now: datetime) -> float:
    return max(0.0, (now - canonical.parse_utc(text)).total_seconds())


def _freshness(ask: Mapping[str, Any], look: Look) -> Observed:
    controls = _compiled(look)["controls"]
    chosen = [
        one for one in _verdicts(look) if one.get("severity") == ask.get("severity", "critical") and one.get("verdict") != "not_applicable"
        and (controls.get(one.get("control")) or {}).get("drift") is True  # observable without a stimulus, as arming counts them
    ]  # fmt: skip
    seen = [_age(one["at"], look.now()) for one in chosen if one.get("at")]
    # What a rehearsal only counts (`in_rehearsal: counted`) closes nothing, and is not counted here either.
    words = [one.get("verdict") for one in chosen if one.get("closes") is not False]
    facts: Dict[str, Any] = {"failed": words.count("fail"), "undecided": words.count("undecided"), "missing": []}
    if seen:
        facts["oldest_age_s"] = max(seen)
    return Observed(facts, opportunities=len(seen))


def _audit(ask: Mapping[str, Any], look: Look) -> Observed:
    path = _run(look).parent / "audit.jsonl"
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise Undecided("there is no audit chain yet") from None
    try:
        chain = audit.check(data)
    except GoliveError as exc:
        return Observed({"chain_intact": False, "chain_reason": str(exc), "entries": data.count(b"\n")})
    facts: Dict[str, Any] = {"chain_intact": True, "chain_reason": "", "entries": len(chain.lines)}
    if ask.get("heads"):
        heads = [audit.parse_head(one) for one in _json(_folder(ask, look, "heads"))]
        try:
            audit.check(data, heads)
            facts["off_host_head_matches"] = bool(heads)
        except GoliveError as exc:
            facts.update({"off_host_head_matches": False, "chain_reason": str(exc)})
    return Observed(facts, opportunities=len(chain.lines))


def _issuers(ask: Mapping[str, Any], look: Look) -> Observed:
    root, system = Path(str(look.context["root"])), str(ask.get("system") or look.context["system"])
    try:
        ticket.parse_signers(signing.signers_of(root / "signers" / system, look.rehearsal), look.rehearsal)
        reader, good, bad = envelope.reader(root, system, look.now(), rehearsal=look.rehearsal), 0, []
    except ticket.Refused as exc:
        if exc.code != "same_key":
            raise Undecided(str(exc)) from None
        return Observed({"shared_keys": [str(exc)]})  # nothing else can be said: who signed what is not known
    for kind in people.EVIDENCE_KINDS:
        records, problems = reader.read_all(_folder(ask, look), kind)
        good += len(records)
        bad += [str(one) for one in problems if one.code in ("wrong_role", "unknown_signer", "wrong_issuer")]
    return Observed({"shared_keys": [], "unknown_issuers": sorted(set(bad)), "envelopes": good}, opportunities=good)


def _red_proofs(ask: Mapping[str, Any], look: Look) -> Observed:
    """A proof counts for a control as its probe is now: a changed probe has lost it. A file holds one proof, or a list as `proofs`."""
    folder, now, limit = _folder(ask, look), look.now(), float(ask.get("max_age_days") or 90) * 86400
    proofs: Dict[str, str] = {}
    for one in (one for path in sorted(folder.glob("*.json")) for one in _proofs_in(_json(path))):
        name = str(one.get("control"))
        if one.get("control") and one.get("verdict") == "fail" and _age(one.get("at"), now) <= limit \
                and one.get("probe_digest") == _probe_digest(one.get("probe")):
            proofs[name] = min(proofs.get(name, "method"), str(one.get("grade", "method")), key=_strength)
    automated = [name for name, one in _compiled(look)["controls"].items() if one.get("built") and not one.get("attest")]
    facts = {"unproven": sorted(name for name in automated if name not in proofs), "grades": proofs}
    return Observed(facts, opportunities=len(automated))


def _strength(grade: str) -> int:
    return _GRADES.index(grade) if grade in _GRADES else len(_GRADES)


def _proofs_in(content: Any) -> List[Dict[str, Any]]:
    held = content.get("proofs", [content]) if isinstance(content, dict) else []
    return [one for one in held if isinstance(one, dict)] if isinstance(held, list) else []


def _probe_digest(name: Any) -> str:
    return bundle.probe(str(name)).digest if str(name) in bundle.probe_names() else ""


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path


def _privacy(_ask: Mapping[str, Any], look: Look) -> Observed:
    run = _run(look)
    loose = [str(path.relative_to(run)) for path in [run, *_files(run)] if stat.S_IMODE(path.stat().st_mode) & 0o077]
    count = sum(1 for _one in _files(run))
    return Observed({"readable_by_others": loose, "files_read": count}, opportunities=count)


def _secrets(ask: Mapping[str, Any], look: Look) -> Observed:
    """Look for each secret in every spelling: this run, what the runs share, and what was written into the repository for them."""
    wanted = logs.indexes([look.secret(str(reference)) for reference in ask.get("references") or []])
    if not wanted:
        raise Undecided("the question names no secret to look for")
    root, run = Path(str(look.context["root"])), _run(look)
    system = str(ask.get("system") or look.context["system"])
    places = [run, *(run.parent / one for one in ("tickets", "evidence", "statements")),
              *(root / one / system for one in ("attestations", "waivers", "inventories", "signers"))]
    where, count = [], 0
    for path in [*(one for place in places for one in _files(place)), *(one for one in run.parent.glob("*") if one.is_file())]:
        count += 1
        data = path.read_bytes()
        where += [_named(path, run)] if any(True for index in wanted for _ in index.search(data)) else []
    return Observed({"secret_matches": len(where), "secret_files": where, "files_read": count}, opportunities=count)


def _named(path: Path, run: Path) -> str:
    """Return a file's name as seen from the run, or from the repository."""
    return str(path.relative_to(run)) if run in path.parents else "/".join(path.parts[-3:])


def _waivers(ask: Mapping[str, Any], look: Look) -> Observed:
    root, system = Path(str(look.context["root"])), str(ask.get("system") or look.context["system"])
    good, bad = envelope.reader(root, system, look.now(), rehearsal=look.rehearsal).read_all(_folder(ask, look), "waiver")
    controls = _compiled(look)["controls"]
    critical = [(one.expires - one.issued).total_seconds() for one in good
                if (controls.get(str(one.payload.get("control"))) or {}).get("severity", "critical") == "critical"]  # fmt: skip
    return Observed(
        {"open": len(good), "expired": [str(one) for one in bad], "critical_longest_s": max(critical, default=0)}, opportunities=len(good)
    )


_QUESTIONS: Dict[str, Callable[[Mapping[str, Any], Look], Observed]] = {
    "items": _items, "controls": _controls, "phases": _phases, "freshness": _freshness, "audit": _audit, "issuers": _issuers,
    "red_proofs": _red_proofs, "privacy": _privacy, "secrets": _secrets, "waivers": _waivers,
}  # fmt: skip
