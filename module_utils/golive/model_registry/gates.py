"""The four gates over one candidate and its evidence: gathers what each needs and asks it. Nothing here has an opinion of its own."""
from __future__ import annotations

from datetime import datetime
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence

from .. import canonical
from ..errors import Undecided
from . import integrity, judgement, oos_metrics, records, risk_checks, schema
from .integrity import Seen
from .judgement import INTEGRITY, OOS_METRICS, RISK_CHECKS, SCHEMA, Judgement
from .manifest import Declaration, File, encode
from .track_record import Fold, fold

JUDGES = 1     # raised with every change of what the gates ask: an approval holds for the judgement that was signed


class Subject(NamedTuple):
    """A candidate: its digest, what its manifest lists, what was seen of it, what is declared, and who signed its manifest."""

    digest: str
    listed: Sequence[File]
    seen: Sequence[Seen]
    declared: Declaration
    signatures: Mapping[str, bytes]


class Evidence(NamedTuple):
    """Where the evidence lies: a directory of signed records, and how to open the predictions (None: there are none)."""

    directory: str
    predictions: Optional[Callable[[], BinaryIO]]
    predictions_sha256: Optional[str]


def judge(subject: Subject, evidence: Evidence, profile: Mapping[str, Any], bot_schema: Optional[Mapping[str, Any]],
          who: records.Enrolled, now: datetime) -> List[Judgement]:
    """Return the judgements of all four gates, in their order; each is asked, whatever another one says."""
    ledger = _Once(lambda: records.evidence(who, evidence.directory, records.TRACK_RECORD, subject.digest, now))
    canary = _Once(lambda: records.evidence(who, evidence.directory, records.CANARY, subject.digest, now))
    measured = _Once(lambda: _fold(profile, evidence, ledger()))

    def of_integrity() -> Judgement:
        roles = profile.get("signer_roles") or ["issuer:ci"]
        signers, unsigned = records.manifest_signers(who, encode(subject.listed), subject.signatures, roles, now)
        return integrity.judge(profile, subject.listed, subject.seen, subject.declared, signers, unsigned)

    def of_schema() -> Judgement:
        try:
            inputs = canary().get("inputs")
        except Undecided:
            inputs = None
        return schema.judge(subject.declared.schema, bot_schema, inputs)

    def of_metrics() -> Judgement:
        stated = oos_metrics.windows(ledger().get("windows"))
        training = subject.declared.training
        return oos_metrics.judge(profile, stated, measured(), subject.digest, canonical.parse_utc(training["from"]),
                                 canonical.parse_utc(training["until"]), subject.declared.claims)

    def of_risk() -> Judgement:
        return risk_checks.judge(profile, measured().overall, canary())

    asked = ((INTEGRITY, of_integrity), (SCHEMA, of_schema), (OOS_METRICS, of_metrics), (RISK_CHECKS, of_risk))
    return [judgement.decide(name, ask) for name, ask in asked]


def record(scope: str, subject: str, judgements: Sequence[Judgement], profile: Mapping[str, Any], bot_schema: Optional[Mapping[str, Any]],
           evidence_files: Mapping[str, str]) -> Dict[str, Any]:
    """Return the validation record. It holds no time: the same candidate, evidence and profile give the same record."""
    return {"format": 1, "judges": JUDGES, "scope": scope, "candidate": subject, "verdict": judgement.verdict(list(judgements)),
            "gates": [one.plain() for one in judgements], "profile": canonical.digest({"profile": profile, "schema": bot_schema}),
            "evidence": dict(sorted(evidence_files.items()))}


def metrics(judgements: Sequence[Judgement]) -> Dict[str, Any]:
    """Return the measured figures, as the pointer names them."""
    found: Dict[str, Any] = {}
    for one in judgements:
        if one.gate in (OOS_METRICS, RISK_CHECKS):
            found.update(one.facts)
    return found


def _fold(profile: Mapping[str, Any], evidence: Evidence, ledger: Mapping[str, Any]) -> Fold:
    if evidence.predictions is None:
        raise Undecided("there are no recorded predictions")
    if ledger.get("sha256") != evidence.predictions_sha256:
        raise Undecided("the predictions are not the ones that were signed")
    with evidence.predictions() as handle:
        return fold(_lines(handle), oos_metrics.rule(profile))


def _lines(handle: BinaryIO) -> Iterator[bytes]:
    """Yield lines, none longer than is read: a file without line breaks must not fill the memory."""
    while True:
        line = handle.readline(8192)
        if not line:
            return
        yield line


class _Once:
    """Asks a question once and gives the same answer, or the same refusal, to everybody."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask, self._known = ask, []  # type: Callable[[], Any], List[Any]

    def __call__(self) -> Any:
        if not self._known:
            try:
                self._known = [self._ask(), None]
            except Undecided as exc:
                self._known = [None, exc]
        if self._known[1] is not None:
            raise self._known[1]
        return self._known[0]
