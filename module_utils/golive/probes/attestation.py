"""attestation: what people stated by signature, read with its rules; a person's word, shown as attested."""
from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

from .. import attestation, envelope, evidence, subject
from ..errors import GoliveError, Undecided
from .look import Look, Observed

EXECUTOR = "local"
WITNESS = "person"
DEADLINE_S = 20
ASK = {"directory": "str; required; folder of the records, from the repository's root", "statement": "str; required",
       "role": "str; required", "system": "str; required",
       "subject": "any; optional; what the statement must be about (its digest is compared)",
       "sittings": "bool; optional; ask for two sittings over the same subject", "series": "bool; optional; judge a series of rounds"}
FACTS = {"valid": "bool; false: a record was forged or changed", "reason": "str", "age_s": "float; seconds", "age_days": "float; days",
         "subject_matches": "bool", "people": "int; distinct signers", "sittings_apart_s": "float; seconds",
         "longest_gap_s": "float; seconds", "covered_s": "float; seconds", "values.*": "as the statement types them"}


def observe(ask: Dict[str, Any], look: Look) -> Observed:
    """Return the newest attestation that holds. None, expired or half a series is undecided; a forged one is a red."""
    root, now = Path(look.context["root"]), look.now()
    try:
        reader = envelope.reader(root, ask["system"], now, rehearsal=look.rehearsal)
        found = attestation.find(reader, root / ask["directory"], ask["statement"], ask["role"])
    except GoliveError as exc:
        raise Undecided(str(exc)) from None
    forged = next((one for one in found.bad if one.code in evidence.NEVER_TRUSTED), None)
    if forged is not None:
        return Observed({"valid": False, "reason": str(forged)})
    if not found.good:
        raise Undecided(str(found.bad[-1]) if found.bad else "nobody has signed %s" % ask["statement"])
    newest = found.good[0]
    age = (now - newest.issued).total_seconds()
    facts: Dict[str, Any] = {"valid": True, "reason": "", "age_s": age, "age_days": age / evidence.DAY_S, "people": newest.people}
    facts.update({"values." + name: value for name, value in newest.payload["values"].items()})
    if "subject" in ask:
        facts["subject_matches"] = newest.subject == subject.of(ask["subject"], look.context)
    if ask.get("sittings"):
        apart = attestation.sittings_apart_s(found.good)
        if apart is None:
            raise Undecided("one sitting of %s is signed, the second is missing" % ask["statement"])
        facts["sittings_apart_s"] = apart
    if ask.get("series"):
        facts["covered_s"], facts["longest_gap_s"] = attestation.series(found.good, now)
    return Observed(facts, opportunities=len(found.good))
