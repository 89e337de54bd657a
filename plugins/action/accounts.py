"""accounts: runs library/accounts.py with the run's drift and check mode."""
from __future__ import annotations

from golive.sets.acting import SetAction
from golive.sets.spec import ACCOUNTS


class ActionModule(SetAction):
    """See library/accounts.py."""

    MODULE = "accounts"
    SET = "golive.sets.accounts"
    SPEC = ACCOUNTS
