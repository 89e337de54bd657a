"""The `main` of modules whose work is done by the action plugin of the same name, on the controller."""
from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule


def refuse(name: str) -> None:
    """Fail: started without its action plugin, the module has nobody to talk to."""
    module = AnsibleModule(argument_spec={}, supports_check_mode=True)
    module.fail_json(msg=f"{name} runs through its action plugin: use the repository's ansible.cfg, which names plugins/action")
