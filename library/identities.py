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
from ansible.module_utils.golive.errors import GoliveError  # noqa: E402
from ansible.module_utils.golive.sets.core import carry_out, sentence  # noqa: E402
from ansible.module_utils.golive.sets.identities import Identities  # noqa: E402
from ansible.module_utils.golive.sets.spec import DRIFT, IDENTITIES  # noqa: E402
from ansible.module_utils.golive.sets.system import System  # noqa: E402


def main() -> None:
    """Carry out the set and tell the public halves."""
    module = AnsibleModule(argument_spec=dict(IDENTITIES, **DRIFT), supports_check_mode=True)
    wanted = Identities(System(), module.params["identities"])
    result = carry_out(wanted, module.check_mode, module.params["golive_drift"])
    if result.pop("failed", False):
        module.fail_json(**result)
    try:
        public = {path: text or "" for path, text in wanted.current().items()}
    except GoliveError as exc:
        module.fail_json(msg=sentence(exc))
    module.exit_json(public=public, **result)


if __name__ == "__main__":
    main()
