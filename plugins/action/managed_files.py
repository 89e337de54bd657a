"""managed_files: reads sources, renders templates and resolves secrets on the controller, then runs library/managed_files.py.

Contents travel in the module's arguments, that is over the pipelined stdin of the connection; nothing of them is written to a
temporary file on either side. Only the archives of releases are copied, once, and verified on the target.
"""
from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.template import trust_as_template
from golive import secrets, session
from golive.canonical import file_digest
from golive.errors import GoliveError
from golive.sets import release_tree
from golive.sets.acting import SetAction
from golive.sets.spec import FILES


class ActionModule(SetAction):
    """See library/managed_files.py."""

    MODULE = "managed_files"
    SPEC = FILES
    TRANSFERS_FILES = False

    def arguments(self, given: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Return the payload: the set with contents in base64 and digests of releases."""
        files = [self._file(entry, variables, dry) for entry in given["files"]]
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

    def _file(self, entry: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Return a file entry with its content in base64."""
        plain = {key: entry[key] for key in ("path", "owner", "group", "mode", "acl", "validate", "create_only")}
        plain["secret"] = entry["secret"] is not None
        content: bytes | None = None
        if entry["content"] is not None:
            content = str(entry["content"]).encode()
        elif entry["template"] is not None:
            content = self._rendered(entry, variables).encode()
        elif entry["source"] is not None:
            with open(self._needle("files", entry["source"]), "rb") as handle:
                content = handle.read()
        elif plain["secret"]:
            try:
                content = resolve_secret(entry["secret"], variables).encode()
            except GoliveError as exc:
                if not dry:
                    raise
                plain["unresolved"] = str(exc)      # the store of a bare system may not be there yet: the module decides
        plain["content"] = None if content is None else base64.b64encode(content).decode()
        return plain

    def _rendered(self, entry: dict[str, Any], variables: Mapping[str, Any]) -> str:
        """Render a template of the role with the task's variables and those of the entry."""
        source = self._needle("templates", entry["template"])
        places = [os.path.join(place, "templates") for place in variables.get("ansible_search_path", [])]
        templar = self._templar.copy_with_new_env(searchpath=[os.path.dirname(source), *places],
                                                  available_variables=dict(variables, **entry["variables"]))
        text = trust_as_template(self._loader.get_text_file_contents(source))
        try:
            return str(templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True, "lstrip_blocks": False}))
        except AnsibleError as exc:
            raise AnsibleActionFail("%s: cannot render %s: %s" % (entry["path"], entry["template"], exc)) from None

    def _release(self, entry: dict[str, Any]) -> dict[str, Any]:
        """Return a release with the tree digest that the target has to find."""
        archive = self._needle("files", entry["archive"])
        found = file_digest(archive)[7:]
        if found != entry["sha256"]:
            raise GoliveError("the archive is not the release that is wanted", where=archive, found=found, expected=entry["sha256"],
                              todo="build the release again, or correct its digest in the profile")
        return {"path": entry["path"], "sha256": entry["sha256"], "tree": release_tree.of_archive(archive)}

    def _needle(self, kind: str, name: str) -> str:
        try:
            return str(self._find_needle(kind, name))
        except AnsibleError:
            raise GoliveError("the file is not on the controller", where=name, todo="look for it in %s/ of the role" % kind) from None


def resolve_secret(reference: str, variables: Mapping[str, Any]) -> str:
    """Return the value behind `vault:kv/<path>#<field>`. Raises GoliveError in the store's own words, redacted."""
    return secrets.resolve(reference, session.join(variables))
