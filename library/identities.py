#!/usr/bin/python
"""identities: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: identities
short_description: Key pairs that a host makes for itself; only the public half leaves it
description:
  - An identity that is there is never replaced. To rotate one, delete its file and run again.
options:
  identities:
    description: Wanted identities. Their directories have to exist.
    type: list
    elements: dict
    required: true
    suboptions:
      path: {description: "Path of the private key, root's, mode 0600.", type: str, required: true}
      kind: {description: Form of the key., type: str, choices: [ssh, age], required: true}
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
- name: The keeper's identities are there
  identities:
    identities: [{path: /var/lib/golive-backup/ssh_key, kind: ssh}]
  register: __backup_identities
"""

RETURN = r"""
changes:
  description: Object C(identity:PATH), op create.
  returned: always
  type: list
public:
  description: Public half of each identity by its path. In a dry run a missing one is an empty text.
  returned: success
  type: dict
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.golive.sets.core import leave  # noqa: E402
from ansible.module_utils.golive.sets.identities import perform  # noqa: E402
from ansible.module_utils.golive.sets.spec import MODULES  # noqa: E402


def main() -> None:
    """Carry out the set. Where a connection can stream, the action plugin sends the same without this file (golive.sets.acting)."""
    module = AnsibleModule(argument_spec=MODULES["identities"], supports_check_mode=True)
    leave(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
