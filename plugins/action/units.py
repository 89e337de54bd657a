"""units: runs library/units.py; in a dry run it also tells the module which files earlier tasks would have changed."""
from __future__ import annotations

from typing import Any

from golive.sets.acting import Predictions, SetAction
from golive.sets.spec import UNITS


class ActionModule(SetAction):
    """See library/units.py."""

    MODULE = "units"
    SPEC = UNITS

    def foreseen(self, predictions: Predictions) -> dict[str, Any]:
        """The restart of a unit follows from files that a dry run does not write."""
        return {"predicted": predictions.all()}
