"""Reads the inventory files of this repository as Ansible's own `yaml` does, after one look whether a run can start from them."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ansible import context
from ansible.plugins.inventory.yaml import InventoryModule as YamlInventory
from ansible.utils.display import Display
from golive import inventory_file, session
from golive.errors import GoliveError

DOCUMENTATION = """
    name: golive
    short_description: Inventory files below inventories/
    description:
      - As the plugin C(yaml). A file that a run cannot start from ends Ansible with one sentence and exit 2, where it would go on with
        several of its own, or skip the plays of a mistyped group.
    author: golive
    options:
      yaml_extensions:
        description: Endings of inventory files.
        type: list
        elements: string
        default: [.yml, .yaml]
"""


class InventoryModule(YamlInventory):  # type: ignore[misc]  # ansible has no types
    """See DOCUMENTATION."""

    NAME = "golive"

    def verify_file(self, path: str) -> bool:
        """Take the files of our systems, also those that are not there: somebody has to say so."""
        return any(inventory_file.is_ours(Path(one), session.ROOT) for one in (path, *(context.CLIARGS.get("inventory") or ())))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        """Look, then read."""
        try:
            for source in (Path(one) for one in context.CLIARGS.get("inventory") or (path,)):
                if not inventory_file.is_ours(source, session.ROOT) or inventory_file.check(source, session.ROOT):
                    continue
                if context.CLIARGS.get("args"):  # a playbook; whoever only looks at the inventory may look at an empty one
                    inventory_file.compile_without_hosts(source, session.ROOT)
        except GoliveError as exc:
            Display().error(str(exc), wrap_text=False)
            sys.exit(2)
        super().parse(inventory, loader, path, cache=cache)
