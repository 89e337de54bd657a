"""The two places that rehearsal accounts need: the exchange's admin API over TLS by the lab's authority, and the secret store."""
from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import hvac
import requests

from ..errors import GoliveError
from ..store import client

TIMEOUT_S = 15


class AdminApi:
    """The rehearsal exchange's admin API; every answer carries its marker, and one without is refused."""

    def __init__(self, url: str, ca_file: Path, token: str) -> None:
        self._base = url.rstrip("/") + "/sandbox/v1/"
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(ca_file)
        self._session.headers["Authorization"] = f"Bearer {token}"

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the decoded answer. Raises GoliveError in the exchange's own words."""
        try:
            answer = self._session.request(method, self._base + path, json=body, timeout=TIMEOUT_S, allow_redirects=False)
        except (requests.exceptions.InvalidHeader, UnicodeError):  # whose words would repeat the token
            raise GoliveError("the token of the rehearsal exchange's administration cannot be sent", where=self._base,
                              found="characters that no header takes", expected="letters and digits") from None
        except requests.exceptions.RequestException as exc:
            raise GoliveError("the rehearsal exchange does not answer", where=self._base, found=type(exc).__name__) from None
        try:
            data = answer.json()
        except ValueError:
            found = f"status {answer.status_code}"
            raise GoliveError("the rehearsal exchange did not answer with JSON", where=self._base, found=found) from None
        if not answer.ok or not isinstance(data, dict):
            words = data.get("error") if isinstance(data, dict) else None
            raise GoliveError(f"the rehearsal exchange refused {method} {path}", found=str(words)[:300])
        return data


class SecretStore:
    """Secrets of the store by reference `vault:<mount>/<path>#<field>`; each path holds one field."""

    def __init__(self, connected: hvac.Client) -> None:
        self._client = connected

    def get(self, reference: str) -> str | None:
        """Return the value, or None where nothing was written yet."""
        path, field = self._parts(reference)
        return client.read_field(self._client, path, field) if client.exists(self._client, path) else None

    def put(self, reference: str, value: str) -> None:
        """Write a value; in a rehearsal a new one replaces the old."""
        path, field = self._parts(reference)
        client.write_secret(self._client, path, {field: value}, replace=True)

    @staticmethod
    def _parts(reference: str) -> tuple[str, str]:
        kind, _, rest = reference.partition(":")
        path, _, field = rest.partition("#")
        if kind != "vault" or not path or not field:
            raise GoliveError("is not a reference to the store", found=json.dumps(reference[:40]), expected="vault:<mount>/<path>#<field>")
        return path, field
