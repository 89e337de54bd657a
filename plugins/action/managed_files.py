"""managed_files: turns the task into a payload (golive.sets.content_action) and runs library/managed_files.py with it.

The archives of releases are the only thing that is copied: once, and verified on the target.
"""
from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from golive.canonical import file_digest
from golive.errors import GoliveError
from golive.lab.cache import cache_dir
from golive.rundir import write_atomic
from golive.sets import release_tree
from golive.sets.content_action import ContentAction
from golive.sets.spec import FILES


class ActionModule(ContentAction):
    """See library/managed_files.py."""

    MODULE = "managed_files"
    SET = "golive.sets.managed_files"
    SPEC = FILES
    TRANSFERS_FILES = False

    def arguments(self, given: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Return the payload: the set with contents in base64 and digests of releases."""
        files = [self.file_entry(entry, variables, dry) for entry in given["files"]]
        releases = [self._release(entry) for entry in given["releases"]]
        self._archives = {entry["sha256"]: entry["archive"] for entry in given["releases"]}
        return {"payload": json.dumps({"directories": given["directories"], "files": files, "links": given["links"],
                                       "absent": given["absent"], "releases": releases})}

    def execute(self, arguments: dict[str, Any], variables: dict[str, Any], dry: bool) -> dict[str, Any]:
        """Run the module; if it says that archives are missing on the target, bring them and run it again."""
        result = super().execute(arguments, variables, dry)
        needed = result.pop("needs", [])
        if dry or not needed:
            return result
        place = self._make_tmp_path()
        uploads = {}
        try:
            for sha256 in needed:
                uploads[sha256] = self._connection._shell.join_path(place, sha256)
                self._transfer_file(self._loader.get_real_file(self._find_needle("files", self._archives[sha256])), uploads[sha256])
            result = super().execute(dict(arguments, uploads=uploads), variables, dry)
        finally:
            self._remove_tmp_path(place)
        result.pop("needs", None)
        return result

    def _release(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return a release with the tree digest that the target has to find."""
        archive = self.needle("files", entry["archive"])
        found = file_digest(archive)[7:]
        if found != entry["sha256"]:
            raise GoliveError("the archive is not the release that is wanted", where=archive, found=found, expected=entry["sha256"],
                              todo="build the release again, or correct its digest in the profile")
        return {"path": entry["path"], "sha256": entry["sha256"], "tree": _tree(archive, found)}


def _tree(archive: str, sha256: str) -> str:
    """Return the digest of the tree in an archive; kept in the cache, because to unpack the store to know it takes seconds of every run."""
    kept = cache_dir() / "trees" / f"{sha256}-{file_digest(str(release_tree.__file__))[7:23]}"
    if kept.is_file():
        return kept.read_text("ascii")
    tree = release_tree.of_archive(archive)
    kept.parent.mkdir(exist_ok=True)
    write_atomic(kept, tree.encode(), 0o600)
    return tree
