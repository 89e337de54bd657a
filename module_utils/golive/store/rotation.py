"""Replaces one secret in steps that can each be repeated: staged, switched, the old one proved dead, destroyed.

A new value waits below `<mount>/<system>/next/`; nothing reads it there. The switch is a check-and-set on the current version, so that two
rotations cannot overtake each other. The old value stays readable, as the version before, until it is known to open nothing.
"""
from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import hvac

from ..canonical import fingerprint
from ..errors import GoliveError
from . import client
from .client import said

TOKEN_BYTES = 32


@dataclass(frozen=True)
class State:
    """Where a rotation stands, seen at the store alone: `idle`, `staged` or `switched`."""

    step: str
    version: int


def state(connected: hvac.Client, reference: str) -> State:
    """Return where the rotation of a secret stands. Raises GoliveError when the secret is not there at all."""
    mount, path, field = parts(reference)
    version, value = _current(connected, mount, path, field)
    staged = _read(connected, mount, _next(path), field)
    return State("idle" if staged is None else "switched" if staged == value else "staged", version)


def stage(connected: hvac.Client, reference: str, value: str | None = None) -> bool:
    """Put a new value aside (a random token if none is given); return whether that changed anything. One that waits already is kept."""
    mount, path, field = parts(reference)
    _, current = _current(connected, mount, path, field)
    waiting = _read(connected, mount, _next(path), field)
    if waiting is not None and value in (None, waiting):
        return False
    new = value if value is not None else secrets.token_urlsafe(TOKEN_BYTES)
    if new == current:
        raise GoliveError(f"the new value of {reference} is the old one", todo="make a new key at the venue")
    client.write_secret(connected, f"{mount}/{_next(path)}", {field: new}, replace=True)
    return True


def staged_reference(reference: str) -> str:
    """Return the reference under which the new value can be proved before anybody uses it."""
    mount, path, field = parts(reference)
    return f"vault:{mount}/{_next(path)}#{field}"


def switch(connected: hvac.Client, reference: str) -> bool:
    """Make the staged value the current one; return whether that changed anything."""
    mount, path, field = parts(reference)
    version, value = _current(connected, mount, path, field)
    staged = _read(connected, mount, _next(path), field)
    if staged is None:
        raise GoliveError(f"nothing waits to replace {reference}", todo="stage it first")
    if staged == value:
        return False
    kv = connected.secrets.kv.v2
    said(lambda: kv.create_or_update_secret(path=path, secret={field: staged}, cas=version, mount_point=mount), f"switch {path}")
    return True


def previous(connected: hvac.Client, reference: str) -> str:
    """Return the value before the current one: what the venue must refuse from now on. Raises GoliveError when it is gone."""
    mount, path, field = parts(reference)
    version, current = _current(connected, mount, path, field)
    for number in range(version - 1, 0, -1):
        value = _read(connected, mount, path, field, number)
        if value is not None and value != current:
            return value
    raise GoliveError(f"there is no version of {reference} before the current one", todo="it was destroyed, or never rotated")


def finish(connected: hvac.Client, reference: str, *, refused: bool) -> bool:
    """Destroy the old versions and the staged copy; return whether that changed anything. Raises GoliveError without the refusal."""
    mount, path, _ = parts(reference)
    found = state(connected, reference)
    if found.step == "idle":
        return False
    if found.step == "staged":
        raise GoliveError(f"{reference} was not switched yet", todo="switch it, and have the old one refused")
    if not refused:
        raise GoliveError(f"the old value of {reference} was not seen refused",
                          todo="revoke it at the venue; until then it opens the account")
    kv = connected.secrets.kv.v2
    metadata = said(lambda: kv.read_secret_metadata(path=path, mount_point=mount), f"read the versions of {path}")["data"]
    old = [int(number) for number, one in metadata["versions"].items() if int(number) < found.version and not one["destroyed"]]
    if old:
        said(lambda: kv.destroy_secret_versions(path=path, versions=old, mount_point=mount), f"destroy old versions of {path}")
    said(lambda: kv.delete_metadata_and_all_versions(path=_next(path), mount_point=mount), f"remove the staged copy of {path}")
    return True


def told(value: str) -> str:
    """Return by what a value can be named in a record without saying it."""
    return fingerprint(value)


def parts(reference: str) -> tuple[str, str, str]:
    """Return mount, path and field of a reference. Raises GoliveError for any other place than the store: those cannot be rotated."""
    kind, _, rest = reference.partition(":")
    where, _, field = rest.partition("#")
    mount, _, path = where.partition("/")
    if kind != "vault" or not path or not field or "/" not in path:
        raise GoliveError("only a secret of the store can be rotated", found=reference[:80],
                          expected="vault:<mount>/<system>/<path>#<field>", todo="rotate it where it is kept, then run the playbooks again")
    return mount, path, field


def _next(path: str) -> str:
    system, _, rest = path.partition("/")
    return f"{system}/next/{rest}"


def _current(connected: hvac.Client, mount: str, path: str, field: str) -> tuple[int, str]:
    answer = said(lambda: connected.secrets.kv.v2.read_secret_version(path=path, mount_point=mount, raise_on_deleted_version=True),
                  f"read {path}")
    value = answer["data"]["data"].get(field)
    if not isinstance(value, str):
        raise GoliveError(f"secret {path} has no text field {field}", todo="write it into the store")
    return int(answer["data"]["metadata"]["version"]), value


def _read(connected: hvac.Client, mount: str, path: str, field: str, version: int | None = None) -> str | None:
    kv = connected.secrets.kv.v2

    def ask() -> Any:
        try:
            return kv.read_secret_version(path=path, mount_point=mount, version=version, raise_on_deleted_version=True)
        except hvac.exceptions.InvalidPath:
            return None

    answer = said(ask, f"read {path}")
    value = answer["data"]["data"].get(field) if answer else None
    return value if isinstance(value, str) else None
