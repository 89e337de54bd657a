"""units: runs library/units.py; in a dry run it also tells the module which files earlier tasks would have changed."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from golive.sets.acting import Predictions, SetAction
from golive.sets.spec import UNITS


class ActionModule(SetAction):
    """See library/units.py."""

    MODULE = "units"
    SET = "golive.sets.units"
    SPEC = UNITS

    def _validated(self) -> dict[str, Any]:
        """YAML reads `enabled: true` as a truth value; it means the word."""
        units = self._task.args.get("units")
        if isinstance(units, list):
            self._task.args["units"] = [_worded(unit) for unit in units]
        return super()._validated()

    def foreseen(self, predictions: Predictions) -> dict[str, Any]:
        """The restart of a unit follows from files that a dry run does not write."""
        return {"predicted": predictions.all()}


def _worded(unit: Any) -> Any:
    if isinstance(unit, Mapping) and isinstance(unit.get("enabled"), bool):
        return {**unit, "enabled": str(unit["enabled"]).lower()}
    return unit
