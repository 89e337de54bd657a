#!/usr/bin/python
"""accounts: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: accounts
short_description: Groups, users, memberships and authorized keys of a host
description:
  - Each is an object of its own, so that the prediction of a dry run can be compared with the real run.
  - A user is created without a home directory (M(managed_files) makes it, with owner and mode) and without a usable password.
options:
  groups:
    description: Wanted groups.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name., type: str, required: true}
      gid: {description: Number., type: int}
      system: {description: Take the number from the system's range., type: bool, default: false}
      state: {description: Wanted or not., type: str, choices: [present, absent], default: present}
  users:
    description: Wanted users. What is left out is not touched.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name., type: str, required: true}
      uid: {description: Number., type: int}
      group: {description: Primary group., type: str}
      groups: {description: Supplementary groups; exactly these unless append is set., type: list, elements: str}
      append: {description: Keep memberships that are not listed., type: bool, default: false}
      home: {description: Home directory (not created)., type: str}
      shell: {description: Login shell., type: str}
      comment: {description: GECOS field., type: str}
      system: {description: Take the number from the system's range., type: bool, default: false}
      password_locked: {description: No password can log in., type: bool, default: true}
      authorized_keys: {description: Exactly these public keys., type: list, elements: str}
      state: {description: Wanted or not. The home of a deleted user stays., type: str, choices: [present, absent], default: present}
  members:
    description: Memberships of users whom somebody else creates, such as a package.
    type: list
    elements: dict
    default: []
    suboptions:
      group: {description: Group., type: str, required: true}
      user: {description: User., type: str, required: true}
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
- name: The bot's own account
  accounts:
    groups: [{name: bot, system: true}]
    users: [{name: bot, group: bot, system: true, home: /var/lib/bot, shell: /usr/sbin/nologin}]
    members: [{group: bot, user: prometheus}]
"""

RETURN = r"""
changes:
  description: Objects C(group:NAME), C(user:NAME), C(member:GROUP/USER), C(keys:USER).
  returned: always
  type: list
problems:
  description: What stands in the way, one sentence each.
  returned: always
  type: list
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.golive.sets.accounts import perform  # noqa: E402
from ansible.module_utils.golive.sets.core import leave  # noqa: E402
from ansible.module_utils.golive.sets.spec import MODULES  # noqa: E402


def main() -> None:
    """Carry out the set. Where a connection can stream, the action plugin sends the same without this file (golive.sets.acting)."""
    module = AnsibleModule(argument_spec=MODULES["accounts"], supports_check_mode=True)
    leave(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
