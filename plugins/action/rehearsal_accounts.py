"""Mints what a rehearsal needs: tokens born with the lab, accounts and keys of the rehearsal exchange. Refuses in production."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from golive import secrets, session
from golive.errors import GoliveError
from golive.rehearsal import accounts, clients
from golive.store import client, settings


class ActionModule(ActionBase):
    """Task `rehearsal_accounts:` with `tokens` (references) or `accounts`, `admin_url` and `admin_token` (a reference)."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, given = self.validate_argument_spec({
            "tokens": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "accounts": {"type": "list", "elements": "dict", "default": []},
            "admin_url": {"type": "str"}, "admin_token": {"type": "str", "no_log": False}})
        try:
            changes = self._mint(given, task_vars)
        except GoliveError as exc:
            return {**result, "failed": True, "msg": str(exc)}
        return {**result, "changed": bool(changes), "changes": changes}

    def _mint(self, given: dict[str, Any], task_vars: dict[str, Any]) -> list[dict[str, Any]]:
        joined, dry = session.join(task_vars), bool(self._task.check_mode)
        if not joined.rehearsal:
            raise GoliveError("accounts are minted only in a rehearsal", todo="open the account at the venue yourself")
        store_settings = settings.from_variables(task_vars, self._templar.template)
        try:
            store = clients.SecretStore(client.login(store_settings, joined.run.run))
            if given["tokens"]:
                return accounts.tokens(given["tokens"], store, dry=dry)
            token = secrets.resolve(given["admin_token"], task_vars, self._templar.template)
            exchange = clients.AdminApi(given["admin_url"], Path(store_settings.ca_file), token)
            return accounts.accounts(given["accounts"], exchange, store, dry=dry)
        except GoliveError:
            if not dry:
                raise
            # Bare hosts: neither the store nor the exchange is there yet, so everything is still to come.
            return (accounts.tokens(given["tokens"], _Nothing(), dry=True) if given["tokens"]
                    else accounts.accounts(given["accounts"], _Nothing(), _Nothing(), dry=True))


class _Nothing:
    """A store and an exchange that hold nothing."""

    def get(self, _reference: str) -> None:
        return None

    def put(self, _reference: str, _value: str) -> None:
        raise GoliveError("a dry run writes nothing")

    def ask(self, _method: str, path: str, _body: Any = None) -> dict[str, Any]:
        return {path: []}
