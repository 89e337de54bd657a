"""identities: runs library/identities.py with the run's drift and check mode."""
from __future__ import annotations

from golive.sets.acting import SetAction
from golive.sets.spec import IDENTITIES


class ActionModule(SetAction):
    """See library/identities.py."""

    MODULE = "identities"
    SET = "golive.sets.identities"
    SPEC = IDENTITIES
