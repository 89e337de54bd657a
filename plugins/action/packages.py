"""packages: runs library/packages.py with the run's drift and check mode."""
from __future__ import annotations

from golive.sets.acting import SetAction
from golive.sets.spec import PACKAGES


class ActionModule(SetAction):
    """See library/packages.py."""

    MODULE = "packages"
    SET = "golive.sets.packages"
    SPEC = PACKAGES
