"""arm: delivers a signed ticket and the exchange key to a bot's host; the rules are in golive.arm_action."""
from __future__ import annotations

from golive.arm_action import ArmAction


class ActionModule(ArmAction):
    """See library/arm.py."""
