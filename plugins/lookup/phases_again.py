"""phases_again: which phases of this run have to be observed, or judged, once more before it may arm."""
from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from golive import arming, record, session
from golive.canonical import parse_utc, utc
from golive.errors import GoliveError

DOCUMENTATION = """
    name: phases_again
    author: golive
    short_description: Phases of this run to be observed or judged once more
    description: C(observe) gives the phases in which a critical control was seen too long ago for arming; C(judge) those that were
      observed after their gate had judged.
    options:
      _terms: {description: C(observe) or C(judge)., required: true}
"""
RETURN = """
    _raw: {description: "Names of phases, in their order", type: list, elements: str}
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: Any = None, **_options: Any) -> list[str]:
        if terms not in (["observe"], ["judge"]):
            raise AnsibleError("phases_again: expected observe or judge")
        try:
            run = session.join(variables).run
            gates = {phase: run.read(f"{phase}/gate.json") for phase in arming.BEFORE_ARMING}
            if terms == ["observe"]:
                return arming.aged(gates, run.need("compiled.json")["controls"], parse_utc(utc()))
            return [phase for phase, gate in gates.items() if gate is not None and record.observed_since(run, phase, str(gate["at"]))]
        except GoliveError as exc:
            raise AnsibleError(str(exc)) from None
