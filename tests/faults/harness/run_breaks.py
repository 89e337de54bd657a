"""Breaks of what a run keeps: its gates, its files, the audit chain. The second look reads the files without golive's probe."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .controller import Controller
from .fault import Fault, NotTaken, red
from .world import load


def verdict_is(control: str, changes: dict[str, Any], *controls: str, beside: tuple[str, ...] = ()) -> Fault:
    """Return the fault by which a gate of the run says this about a control."""
    field, wanted = next(iter(changes.items()))

    def confirm(world: Controller) -> str:
        for path in world.run_dir.glob("*/gate.json"):
            for one in load(path)["verdicts"]:
                if one["control"] == control and one.get(field) == wanted:
                    return f"{path.parent.name}/gate.json says {field}={wanted} of {control}"
        raise NotTaken(f"no gate says {field}={wanted} of {control}")

    return Fault("controller", "report", red(*controls), lambda world: world.gates(**{control.replace(".", "__"): changes}), confirm,
                 lambda world: world.gates(), beside=beside)


def on_files(layer: str, break_: Callable[[Controller], None], confirm: Callable[[Controller], str], heal: Callable[[Controller], None],
             *controls: str, beside: tuple[str, ...] = ()) -> Fault:
    """Return a fault of the controller's world."""
    return Fault("controller", layer, red(*controls), break_, confirm, heal, beside=beside)
