#!/usr/bin/python
"""packages: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: packages
short_description: Debian packages that are installed or absent on a host
description:
  - Needs no python3-apt. In check mode C(apt-get -s) is asked, so that the prediction names every package of the transaction,
    dependencies included; an index that does not know a name is refreshed, in check mode only for the question.
  - Installing a package starts and enables nothing; the module M(units) decides what runs.
  - A removal that nobody asked for, a held package in the way or an unknown name is an error in both modes, in apt's own words.
options:
  present:
    description: Names, or C(name=version), that are installed.
    type: list
    elements: str
    default: []
  absent:
    description: Names that are not installed. Their configuration stays.
    type: list
    elements: str
    default: []
  sources:
    description: Texts of deb822 C(.sources) files that an earlier task lays down; a dry run asks them as well, for the question only.
    type: list
    elements: str
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
- name: Packages of the firewall
  packages:
    present: [nftables]
    absent: [ufw]
"""

RETURN = r"""
changes:
  description: Object C(package:NAME), op install, upgrade, remove, configure or finish, versions before and after.
  returned: always
  type: list
problems:
  description: What stands in the way, one sentence each.
  returned: always
  type: list
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.golive.sets.core import leave  # noqa: E402
from ansible.module_utils.golive.sets.packages import perform  # noqa: E402
from ansible.module_utils.golive.sets.spec import MODULES  # noqa: E402


def main() -> None:
    """Carry out the set. Where a connection can stream, the action plugin sends the same without this file (golive.sets.acting)."""
    module = AnsibleModule(argument_spec=MODULES["packages"], supports_check_mode=True)
    leave(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
