#!/usr/bin/python
"""leak_hunt: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: leak_hunt
short_description: Search a host for secrets that it must not hold
description:
  - Looks for values of the store in every spelling (plain, base64, hex, URL, JSON, reversed …) in files, archives, core dumps, git
    histories, journals, process arguments and environments, container images and containers.
  - The host gets keyed hashes, never a value. It tells places, never a text. It changes nothing.
  - What could not be read to its end is a finding as well, a search with a gap is not clean.
options:
  secrets: {description: References to the secrets., type: list, elements: str, required: true}
  paths: {description: "Files, folders or patterns. One that is not there holds nothing.", type: list, elements: str, default: []}
  journal: {description: The journal of the host., type: bool, default: false}
  processes: {description: Arguments and environment of every process., type: bool, default: false}
  images: {description: Container images with all their layers., type: list, elements: str, default: []}
  containers: {description: "Containers, their files, settings and logs.", type: list, elements: str, default: []}
  allowed: {description: Patterns of places in which a secret lies lawfully., type: list, elements: str, default: []}
attributes:
  check_mode: {support: full}
author: golive
"""

EXAMPLES = r"""
- name: No key of the exchange is in logs, dumps or processes
  leak_hunt:
    secrets: [vault:kv/kraken-micro/exchange/live#key]
    paths: [/var/log, /var/lib/systemd/coredump]
    journal: true
    processes: true
"""

RETURN = r"""
found:
  description: "Places with the secret's reference and its spelling."
  returned: always
  type: list
unread:
  description: What could not be read to its end.
  returned: always
  type: list
things:
  description: How many places were read.
  returned: always
  type: int
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402 (Ansible wants the documentation first)
from ansible.module_utils.golive.errors import GoliveError  # noqa: E402
from ansible.module_utils.golive.leaks.hunt import ARGUMENTS, perform  # noqa: E402


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        result = perform(module.params)
    except GoliveError as exc:
        module.fail_json(msg=str(exc), changed=False, changes=[])
    if result["found"] or result["unread"]:
        places = result["found"] + ["not read: " + one for one in result["unread"]]
        module.fail_json(msg="; ".join(places[:20]), changed=False, changes=[], **result)
    module.exit_json(changed=False, changes=[], **result)


if __name__ == "__main__":
    main()
