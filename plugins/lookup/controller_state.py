"""controller_state: what the operator of a rehearsal can state about the controller, measured at the moment of use."""
from __future__ import annotations

from typing import Any

from ansible.plugins.lookup import LookupBase
from golive import session
from golive.rehearsal import people


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible has no types
    """`lookup('controller_state')` returns a list of `{statement, role, values}`."""

    def run(self, terms: Any, variables: Any = None, **_kwargs: Any) -> list[Any]:
        """Measure."""
        del terms, variables
        return [people.controller(session.ROOT)]
