#!/usr/bin/python
"""sealed_files: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: sealed_files
short_description: Secrets that lie on a host encrypted to it
description:
  - Each secret is encrypted with C(systemd-creds) to this host under a name. A copy of the file is of no use elsewhere.
  - A file that this host cannot open, or that holds something else, is sealed anew. Contents are never told, nor digests of them.
options:
  payload:
    description: JSON list of the files with their contents, made by the action plugin of the same name.
    type: str
    required: true
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
- name: The key of the kill is sealed to its machine
  sealed_files:
    files: [{path: /etc/golive/kill_key.cred, name: kill_key, secret: "vault:kv/kraken-micro/exchange/kill_guard#key"}]
"""

RETURN = r"""
changes:
  description: Object C(file:PATH), op create or update.
  returned: always
  type: list
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.golive.sets.core import leave  # noqa: E402
from ansible.module_utils.golive.sets.sealed import perform  # noqa: E402
from ansible.module_utils.golive.sets.spec import MODULES  # noqa: E402


def main() -> None:
    """Carry out the set. Where a connection can stream, the action plugin sends the same without this file (golive.sets.acting)."""
    module = AnsibleModule(argument_spec=MODULES["sealed_files"], supports_check_mode=True)
    leave(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
