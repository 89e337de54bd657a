#!/usr/bin/python
"""units: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: units
short_description: systemd units that are started or stopped, enabled, disabled or masked, and never stale
description:
  - A unit that is not there yet will be started; in a real run it has to be there by then.
  - A running unit is restarted when its definition changed, or when a file of C(restart_when.digest_of) is not the one its running
    process loaded. That is compared in every run, so a restart that was lost to a crash happens on the next run.
  - Definitions that systemd has not read yet are read again (daemon-reload) in real runs.
  - A drop-in of the unit that golive did not write (no C(golive) in its name) is deleted, below /etc and below /run; one that shall stay
    is named in C(keep_drop_ins).
options:
  units:
    description: Wanted units.
    type: list
    elements: dict
    required: true
    suboptions:
      name: {description: Whole name with its kind such as chrony.service., type: str, required: true}
      state: {description: Left out means that whether it runs is not decided here., type: str, choices: [started, stopped]}
      enabled: {description: Left out means not decided here., type: str, choices: ["true", "false", masked]}
      keep_drop_ins: {description: Patterns of names of drop-ins of others that stay., type: list, elements: str, default: []}
      restart_when:
        description: When a running service is stale.
        type: dict
        suboptions:
          digest_of: {description: Paths or patterns that the process loads at its start., type: list, elements: str, required: true}
  predicted:
    description: Set by the action plugin in check mode, what earlier tasks of the same dry run would change.
    type: list
    elements: dict
    default: []
  golive_drift:
    description: Set by the action plugin; refuses every call that is not in check mode.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
author: golive
"""

EXAMPLES = r"""
- name: The clock is kept
  units:
    units:
      - {name: chrony.service, state: started, enabled: "true", restart_when: {digest_of: [/etc/chrony/conf.d/*.conf]}}
"""

RETURN = r"""
changes:
  description:
    - Object C(unit:NAME), op start, stop, restart, enable, disable, mask or unmask.
    - C(file:PATH) for the drop-in of restart_when, and op delete for a drop-in of somebody else.
  returned: always
  type: list
problems:
  description: What stands in the way, one sentence each.
  returned: always
  type: list
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.golive.sets.core import leave  # noqa: E402
from ansible.module_utils.golive.sets.spec import MODULES  # noqa: E402
from ansible.module_utils.golive.sets.units import perform  # noqa: E402


def main() -> None:
    """Carry out the set. Where a connection can stream, the action plugin sends the same without this file (golive.sets.acting)."""
    module = AnsibleModule(argument_spec=MODULES["units"], supports_check_mode=True)
    leave(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
