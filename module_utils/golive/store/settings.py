"""Where the store is and how this controller proves who it is, from the inventory's variables."""
from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import GoliveError


@dataclass(frozen=True)
class Settings:
    """`identity` is a file of the operator (0600) with `{"role_id", "secret_id"}`; it never stands in the repository."""

    address: str
    ca_file: Path
    identity: Path

    def credentials(self) -> dict[str, str]:
        """Return the AppRole credentials. Raises GoliveError that names the file, never its content."""
        todo = "run the role secrets first; on a new controller ask the operator of the store for a role id and a secret id"
        try:
            info = self.identity.stat()
            found = json.loads(self.identity.read_text("utf-8"))
        except FileNotFoundError:
            raise GoliveError("there is no identity for the store", where=self.identity.name, todo=todo) from None
        except (OSError, ValueError) as exc:
            raise GoliveError("cannot be read", where=self.identity.name, found=type(exc).__name__, todo=todo) from None
        if stat.S_IMODE(info.st_mode) & 0o077:
            raise GoliveError("may be read by others", where=self.identity.name, found=oct(stat.S_IMODE(info.st_mode)), expected="0o600",
                              todo="chmod 600 it, and rotate it if somebody else was on this machine")
        if not isinstance(found, dict) or not all(isinstance(found.get(name), str) for name in ("role_id", "secret_id")):
            raise GoliveError("is not an identity for the store", where=self.identity.name, expected="role_id and secret_id")
        return {"role_id": found["role_id"], "secret_id": found["secret_id"]}


def addresses(variables: Mapping[str, Any], template: Any = lambda value: value) -> list[str]:
    """Return the addresses of all nodes (`vault_addresses`), or the one that there is."""
    several = template(variables.get("vault_addresses")) or []
    return [str(one) for one in several] or [from_variables(variables, template).address]


def from_variables(variables: Mapping[str, Any], template: Any = lambda value: value) -> Settings:
    """Return the settings of an inventory; `template` resolves what is still a template."""
    def take(name: str) -> str:
        value = template(variables.get(name))
        if not isinstance(value, str) or not value:
            raise GoliveError(f"{name} is not set", todo="set it in the system's group_vars")
        return str(value)

    return Settings(take("vault_address"), Path(take("vault_controller_ca_file")), Path(take("vault_controller_identity")))


def token_directory() -> Path:
    """Return where a run keeps its one token: memory only, this user only."""
    path = Path("/dev/shm") / f"golive-{os.getuid()}"  # noqa: S108 (0700 and owner are checked below)
    path.mkdir(mode=0o700, exist_ok=True)
    info = path.lstat()
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid() or stat.S_IMODE(info.st_mode) != 0o700:
        raise GoliveError("is not ours alone", where=str(path), todo="remove it and look who made it")
    return path
