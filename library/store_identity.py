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

from ansible.module_utils.golive.controller_only import refuse  # noqa: E402 (Ansible wants the documentation first)


def main() -> None:
    """Refuse: without its action plugin this module has nobody to talk to."""
    refuse("store_identity")


if __name__ == "__main__":
    main()
