"""packed: the path of one of golive's one-file programs, packed anew from the sources of this checkout."""
from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from golive.errors import GoliveError
from golive.exchange import pack

DOCUMENTATION = """
    name: packed
    author: golive
    short_description: Path of a one-file program on the controller
    description: The same sources give the same bytes, so a host that has the file already is left alone.
    options:
      _terms: {description: C(exchange_key), required: true}
"""
RETURN = """
    _raw: {description: "Paths, one for each name", type: list, elements: str}
"""


class LookupModule(LookupBase):  # type: ignore[misc]  # ansible has no types
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: Any = None, **_options: Any) -> list[str]:
        try:
            return [str(pack.cached(str(term))) for term in terms]
        except GoliveError as exc:
            raise AnsibleError(str(exc)) from None
