#!/usr/bin/python
"""confirmed_files: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: confirmed_files
short_description: Files that can lock us out, kept only after a fresh connection got through
description:
  - Notes the former files, arms the way back (a timer, and a unit in case the host starts again in between), writes and applies. The
    action plugin then opens a new connection and confirms. If it cannot, the timer puts the former files back and applies those.
  - Compares in every run what is in force with the files, so that rules that somebody flushed are put in force again.
options:
  name:
    description: Short name; the object is C(applied:NAME).
    type: str
    required: true
  files:
    description: As the files of M(managed_files). Their directories have to exist.
    type: list
    elements: dict
    required: true
  apply:
    description: argv that puts the files in force.
    type: list
    elements: str
    required: true
  undo:
    description: argv for the way back when there were no such files before.
    type: list
    elements: str
    required: true
  within_s:
    description: Seconds until the way back is taken.
    type: int
    default: 60
  live:
    description: How to see what is in force. Either C(unit), a service whose start record is compared, or two argv whose outputs are equal.
    type: dict
    suboptions:
      unit: {description: A service., type: str}
      argv: {description: Prints what is in force., type: list, elements: str}
      expected: {description: Prints what the file on disk would put in force., type: list, elements: str}
  payload:
    description: The files in JSON. Written by the action plugin.
    type: str
  token:
    description: Names the trial. Written by the action plugin.
    type: str
  step:
    description: Used by the action plugin.
    type: str
    choices: [apply, confirm, ask]
    default: apply
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
- name: Rules that let golive in
  confirmed_files:
    name: firewall
    files: [{path: /etc/golive/firewall.nft, template: firewall.nft.j2, validate: [/usr/sbin/nft, -c, -f, "%s"]}]
    apply: [systemctl, reload-or-restart, golive-firewall.service]
    undo: [nft, add table inet golive; delete table inet golive]
"""

RETURN = r"""
changes:
  description: Objects C(file:PATH) and C(applied:NAME), op apply or confirm.
  returned: always
  type: list
problems:
  description: What stands in the way, one sentence each.
  returned: always
  type: list
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.golive.sets.confirmed import perform  # noqa: E402
from ansible.module_utils.golive.sets.core import leave  # noqa: E402
from ansible.module_utils.golive.sets.spec import MODULES  # noqa: E402


def main() -> None:
    """Carry out the set. Where a connection can stream, the action plugin sends the same without this file (golive.sets.acting)."""
    module = AnsibleModule(argument_spec=MODULES["confirmed_files"], supports_check_mode=True)
    leave(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
