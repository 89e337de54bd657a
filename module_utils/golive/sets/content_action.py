"""Reads sources, renders templates and resolves secrets on the controller, for the actions that write files. Never sent to a target.

Contents travel in the module's arguments, that is over the pipelined stdin of the connection; nothing of them is written to a
temporary file on either side.
"""
from __future__ import annotations

import base64
import os
import secrets as random
from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.template import trust_as_template

from .. import secrets
from ..errors import GoliveError
from .acting import Predictions, SetAction


class SecretAction(SetAction):
    """An action whose task names secrets by reference."""

    def secret(self, reference: str, variables: Mapping[str, Any], dry: bool) -> bytes:
        """Return the value of a reference; in a dry run that would have rotated it, what no host can hold yet."""
        if dry and Predictions.of_store().replaces(reference):
            return random.token_hex(32).encode()
        return secrets.resolve(reference, variables, self._templar.template).encode()


class ContentAction(SecretAction):
    """An action whose task lists files with content, template, source or secret."""

    def file_entry(self, entry: dict[str, Any], variables: Mapping[str, Any], dry: bool) -> dict[str, Any]:
        """Return a file entry with its content in base64."""
        plain = {key: entry[key] for key in ("path", "owner", "group", "mode", "acl", "validate", "create_only")}
        plain["secret"] = entry["secret"] is not None
        content: bytes | None = None
        if entry["content"] is not None:
            content = str(entry["content"]).encode()
        elif entry["template"] is not None:
            content = self._rendered(entry, variables).encode()
        elif entry["source"] is not None:
            with open(self.needle("files", entry["source"]), "rb") as handle:
                content = handle.read()
        elif plain["secret"]:
            try:
                content = self.secret(entry["secret"], variables, dry)
            except GoliveError as exc:
                if not dry:
                    raise
                plain["unresolved"] = str(exc)      # the store of a bare system may not be there yet: the module decides
        plain["content"] = None if content is None else base64.b64encode(content).decode()
        return plain

    def _rendered(self, entry: dict[str, Any], variables: Mapping[str, Any]) -> str:
        """Render a template of the role with the task's variables and those of the entry."""
        source = self.needle("templates", entry["template"])
        places = [os.path.join(place, "templates") for place in variables.get("ansible_search_path", [])]
        templar = self._templar.copy_with_new_env(searchpath=[os.path.dirname(source), *places],
                                                  available_variables=dict(variables, **entry["variables"]))
        text = trust_as_template(self._loader.get_text_file_contents(source))
        try:
            return str(templar.template(text, escape_backslashes=False, overrides={"trim_blocks": True, "lstrip_blocks": False}))
        except AnsibleError as exc:
            raise AnsibleActionFail("%s: cannot render %s: %s" % (entry["path"], entry["template"], exc)) from None

    def needle(self, kind: str, name: str) -> str:
        try:
            return str(self._find_needle(kind, name))
        except AnsibleError:
            raise GoliveError("the file is not on the controller", where=name, todo="look for it in %s/ of the role" % kind) from None
