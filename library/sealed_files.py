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

import json  # noqa: E402

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.golive.sets.core import answer  # noqa: E402
from ansible.module_utils.golive.sets.sealed import SealedFiles  # noqa: E402
from ansible.module_utils.golive.sets.spec import DRIFT  # noqa: E402
from ansible.module_utils.golive.sets.system import System  # noqa: E402


def main() -> None:
    """Carry out the set."""
    module = AnsibleModule(argument_spec=dict(DRIFT, payload={"type": "str", "required": True, "no_log": True}), supports_check_mode=True)
    answer(module, lambda given, dry: SealedFiles(System(), json.loads(given["payload"])))


if __name__ == "__main__":
    main()
