"""release: the archive of one of our services, built from the lock file for the target's Python, and its digest."""
from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from golive import release_build
from golive.errors import GoliveError
from golive.lab import vault_archive

DOCUMENTATION = """
    name: release
    author: golive
    short_description: Archive and sha256 of a release
    description: Builds the release if its source changed, else takes it from the cache. C(vault) is the store built for tests.
    options:
      _terms: {description: Names of releases such as bot and sandbox., required: true}
"""
RETURN = """
    _raw: {description: "{path, sha256} for each name", type: list, elements: dict}
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: Any = None, **_options: Any) -> list[dict[str, str]]:
        try:
            return [self._one(str(term)) for term in terms]
        except GoliveError as exc:
            raise AnsibleError(str(exc)) from None

    @staticmethod
    def _one(name: str) -> dict[str, str]:
        if name == "vault":
            path, sha256 = vault_archive.archive()
        else:
            built = release_build.build(name)
            path, sha256 = built.path, built.sha256
        return {"path": str(path), "sha256": sha256}
