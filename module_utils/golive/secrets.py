"""Resolves secret references at the moment of use, in memory (M21, M22). Controller only; a value never becomes a variable.

References: `vault:<mount>/<path>#<field>` (KV v2), `vault:self#token` (this run's own token, for questions to the store itself),
`file:<path>` (a private file of the controller; a rehearsal's bootstrap), and `index:<reference>`: keyed hashes by which a host finds the
secret in its logs without ever knowing it (`golive.leaks`). Small users without a store: `sops:<file>#<field>`,
`systemd_creds:<file>[#<field>]`, `env_file:<file>#<NAME>` (`golive.store.backends` says what each does not give).
"""
from __future__ import annotations

import contextlib
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import rundir, session
from .errors import GoliveError
from .leaks.index import Index
from .store import backends, client, nodes, rotation, settings


def resolve(reference: str, variables: Mapping[str, Any], template: Any = lambda value: value) -> str:
    """Return the value that a reference names."""
    kind, _, rest = reference.partition(":")
    if kind == "index":
        try:
            return Index.build({rest: resolve(rest, variables, template)}).dump()
        except ValueError as exc:
            raise GoliveError(f"secret {rest} cannot be searched for", found=str(exc)) from None
    path, _, field = rest.partition("#")
    try:
        if kind == "file":
            return _private(Path(path))
        if kind in {"sops", "systemd_creds", "env_file"} and path:
            return backends.read(kind, path, field)
        if kind == "vault" and field:
            connected = client.login(where(variables, template), run_of(variables))
            if path.endswith("@previous"):  # of a rotation: what the venue must refuse by now
                return rotation.previous(connected, f"vault:{path.removesuffix('@previous')}#{field}")
            return str(connected.token) if (path, field) == ("self", "token") else client.read_field(connected, path, field)
    except GoliveError as exc:
        raise GoliveError(f"secret {reference} cannot be had: {exc}") from None
    expected = "vault:<mount>/<path>#<field>, sops:, systemd_creds:, env_file: or file:<path>"
    raise GoliveError("not a secret reference", found=f"{len(reference)} characters", expected=expected)


def where(variables: Mapping[str, Any], template: Any = lambda value: value) -> settings.Settings:
    """Return the settings of the store; of a cluster those of a node that serves, so that a lost leader stops nobody."""
    found = settings.from_variables(variables, template)
    several = settings.addresses(variables, template)
    return nodes.choose(found, several) if len(several) > 1 else found


def forget(variables: Mapping[str, Any], template: Any = lambda value: value) -> None:
    """Revoke this run's token, if it ever logged in. A store that does not answer lets the token expire by itself."""
    run = run_of(variables)
    if run is not None and (settings.token_directory() / run).is_file():
        with contextlib.suppress(GoliveError):
            client.forget(where(variables, template), run)


def run_of(variables: Mapping[str, Any]) -> str | None:
    """Return the run that this task belongs to; a scenario without a run logs in on each use."""
    try:
        return rundir.current(session.reports_of(session.system_of([str(variables["inventory_file"])]))).run
    except (GoliveError, KeyError):
        return None


def _private(path: Path) -> str:
    try:
        mode, value = stat.S_IMODE(path.stat().st_mode), path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise GoliveError("cannot be read", where=path.name, found=type(exc).__name__) from None
    if mode & 0o077:
        raise GoliveError("may be read by others", where=path.name, found=oct(mode), expected="0o600")
    return value.strip()
