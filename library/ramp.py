#!/usr/bin/python
"""ramp: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: ramp
short_description: Arms the next stage of the ramp
description:
  - Like M(arm), for a ticket of the next stage. It asks for the signed record of the stage before (passed, no breach, no critical alert,
    days and fills enough; profit is not looked at) and verifies all that M(arm) verifies.
  - The bot's host verifies the ticket again by its own rules; the key is stored as a credential encrypted to that host.
  - Safe to repeat after a crash at any step. In check mode it predicts, and C(problems) says what would stop it.
options:
  credential: {description: Reference to the secret that holds JSON with key and secret., type: str, required: true}
  ticket: {description: "Folder with C(ticket.json) and its signatures; the one drafted for this host if left out.", type: path}
  foreseen: {description: "In check mode, the result of the task C(draft_ticket): what it would write, this would deliver.", type: dict}
  venue_offset_s: {description: "The venue's clock minus the host's, in seconds, as just measured.", type: float}
attributes:
  check_mode: {support: full, description: Predicts and writes nothing.}
  diff_mode: {support: none, description: Digests are in C(changes).}
author: golive
"""
EXAMPLES = r"""
- name: Lift the stage
  ramp:
    credential: "{{ exchange_key_credential }}"
"""
RETURN = r"""
changes: {description: "C({object, op, before, after}) of ticket and key; digests and fingerprints only", type: list, returned: always}
problems: {description: In check mode, why the real run would not arm, type: list, returned: always}
"""

from ansible.module_utils.golive.controller_only import refuse  # noqa: E402 (documentation comes first in a module)


def main() -> None:
    """Refuse: without its action plugin this module would lift a stage without having verified anything."""
    refuse("ramp")


if __name__ == "__main__":
    main()
