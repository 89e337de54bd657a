#!/usr/bin/python
"""quiet_key: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: quiet_key
short_description: Finds out whether somebody else uses the trading key while the bot is stopped
description:
  - The drill behind the control C(exchange.key.quiet_when_stopped). Asks the venue about the key from the bot's host, waits the profile's
    C(exchange_key_quiet_s), asks with the next nonce, and signs a drill record of what was seen. If that nonce is refused as too low,
    somebody used the key in between; the record says so and the task fails.
  - Needs a run with a bound release, a bot that is seen stopped (C(bot_live_starters)) and a key without a nonce window.
  - A record of this release that holds is not made twice. In check mode nothing is asked and nothing signed.
options:
  issuer: {description: "Who signs drills, as enrolled. In a rehearsal the lab does.", type: str, default: lab-drill}
  key: {description: "Private key file of the issuer, on the controller. Required in production.", type: path}
  lasts_days: {description: How long the record holds., type: float, default: 90}
attributes:
  check_mode: {support: full, description: "Asks nothing, since a question spends a nonce."}
  diff_mode: {support: none, description: It changes nothing on a host.}
author: golive
"""
EXAMPLES = r"""
- name: Nobody else uses the trading key
  quiet_key:
    issuer: drills
    key: ~/.ssh/golive-drills
"""
RETURN = r"""
record: {description: Id of the signed record that holds, type: str, returned: when there is one}
asked: {description: Whether the venue was asked in this task, type: bool, returned: success}
result: {description: "C({nonce_moved_by_others, waited_s, key_fingerprint, venue})", type: dict, returned: when asked}
"""

from ansible.module_utils.golive.controller_only import refuse  # noqa: E402 (documentation comes first in a module)


def main() -> None:
    """Refuse: the drill waits and signs on the controller."""
    refuse("quiet_key")


if __name__ == "__main__":
    main()
