"""ramp: arms the next stage on the signed record of the one before; the rules are in golive.arm_action and golive.ramp."""
from __future__ import annotations

from golive.arm_action import RampAction


class ActionModule(RampAction):
    """See library/ramp.py."""
