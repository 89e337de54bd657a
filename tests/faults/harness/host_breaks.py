"""Breaks on a host: a command breaks, a second one looks, a third one heals."""
from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from .fault import Fault, NotTaken, red
from .lab import Lab


def on_host(host: str, layer: str, break_: str, look: str, wanted: str, heal: str, *controls: str, **more: Any) -> Fault:
    """Return the fault of one host: three shell scripts; `wanted` is the regular expression that the second look must match.

    `verdicts` are those that are not `fail`.
    """
    expected = {**red(*controls), **more.pop("verdicts", {})}

    def confirm(world: Lab) -> str:
        seen = world.on(host, look, check=False).strip()
        if not re.search(wanted, seen, re.MULTILINE | re.DOTALL):
            raise NotTaken(f"{look!r} on {host} says {seen[-160:]!r}")
        return f"{host}: {look} says {seen.splitlines()[0][:120] if seen else 'nothing'}"

    def run(script: str, check: bool) -> Callable[[Lab], None]:
        def act(world: Lab) -> None:
            world.on(host, script, check=check)

        return act

    return Fault("lab", layer, expected, run(break_, True), confirm, run(heal, False), **more)


def instead(host: str, path: str, change: str, look: str, wanted: str, *controls: str, **more: Any) -> Fault:
    """Return the fault by which a file is seen changed: a changed copy is mounted over it, its writer is not disturbed.

    `change` is a shell filter from the file's content to the changed one.
    """
    copy = "/run/golive-fault-copy"
    break_ = (f"{change} < {path} > {copy}; chown --reference={path} {copy}; chmod --reference={path} {copy}; "
              f"mount --bind {copy} {path}")
    return on_host(host, "file", break_, look, wanted, f"umount {path}; rm -f {copy}", *controls, **more)
