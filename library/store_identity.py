#!/usr/bin/python
"""store_identity: see DOCUMENTATION. The work is done by the action plugin of the same name."""
from __future__ import annotations

DOCUMENTATION = r"""
module: store_identity
short_description: Introduce the agent of a process to the secret store
description:
  - Where the agent's own metric says that it is logged in, nothing happens. Otherwise it gets one secret id, wrapped, in memory, that works
    once and for minutes; the task waits until the agent has logged in with it.
options:
  role: {description: AppRole of the process., type: str, required: true}
  folder: {description: Folder in memory from which the agent reads., type: path, required: true}
  port: {description: Where the agent tells its metrics on loopback., type: int, required: true}
  owner: {description: User of the agent., type: str, required: true}
attributes:
  check_mode: {support: full}
author: golive
"""

EXAMPLES = r"""
- name: The agent has proved who it is
  store_identity:
    role: kraken-micro-bot
    folder: /run/golive-agent/bot
    port: 8300
    owner: bot
"""

RETURN = r"""
changes:
  description: Object C(vault_login:ROLE), op create.
  returned: always
  type: list
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402


def main() -> None:
    """Refuse: without its action plugin this module has nobody to talk to."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.fail_json(msg="store_identity runs through its action plugin: use the repository's ansible.cfg, which names plugins/action")


if __name__ == "__main__":
    main()
