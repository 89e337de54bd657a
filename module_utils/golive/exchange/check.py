"""The whole check from named options: see the egress, ask the venue, judge. The module and the command are this and their own form."""

from __future__ import annotations

from typing import Any, Dict, Mapping, NamedTuple, Optional, Tuple

from . import options
from .ask import World, ask, prepare
from .egress import Unseen
from .model import Credential
from .outcome import facts
from .rules import Judgement, judge


class Checked(NamedTuple):
    """What was found and what it is worth."""

    facts: Dict[str, Any]
    judgement: Judgement


def check(given: Mapping[str, Any], credential: Credential, world: World) -> Checked:
    """Return facts and verdict. Raises GoliveError for options that mean nothing, before anything is sent."""
    question = options.question(given, credential)
    wanted = options.demands(
        given, None if given.get("egress_seen_by") else options.egress(given), compared_later=bool(given.get("egress_seen_by"))
    )
    prepare(question)
    egress, unseen = _egress(given)
    if egress and not wanted.ip_addresses:
        wanted = wanted._replace(ip_addresses=egress)
    outcome = ask(question, world)
    now = world.now()
    compared = wanted.ip_match in ("exact", "subset")
    if unseen and compared and not wanted.ip_addresses:
        judged = judge(outcome, wanted._replace(ip_match="restricted"), now)
        judged = Judgement("fail" if judged.problems else "undecided", judged.problems, [*judged.undecided, unseen])
    else:
        judged = judge(outcome, wanted, now)
    return Checked(facts(outcome, now, egress), judged)


def _egress(given: Mapping[str, Any]) -> Tuple[Optional[Tuple[str, ...]], str]:
    try:
        return options.egress(given), ""
    except Unseen as exc:
        return None, str(exc)
