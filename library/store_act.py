#!/usr/bin/python
"""store_act: see DOCUMENTATION. The work is done by the action plugin of the same name, on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: store_act
short_description: One act on the secret store - unseal, back up, drill the restore, review access, rotate, break the glass
description:
  - Runs on the controller with vault_address (or vault_addresses), vault_controller_ca_file and vault_controller_identity of the inventory.
  - Every act can be repeated after a crash at any point; what is done is seen at the store itself. No result holds a secret.
options:
  act:
    description: >-
      C(states) tells every node's state. C(unseal) unseals what is sealed (in production it says who has to). C(snapshot) and
      C(restore_drill) back the store up and prove it on an empty one. C(review) says who can read what and who did. C(stage), C(switch)
      and C(finish) are the steps of a rotation, C(rotation) says where one stands, C(revoke) lets a rehearsal's exchange forget the old
      key, C(prove) asks a service with the new value and the old one, and C(rotate_role) is one of a database password.
      C(break_glass) opens the store for minutes. C(restart) restarts this host's node if it is its C(turn). C(delivered) waits until the
      agent on this host has laid down what the store holds now. C(restore) makes the newest backup the store of this empty host.
    type: str
    required: true
    choices: [states, unseal, snapshot, restore_drill, review, stage, switch, finish, rotation, revoke, prove, rotate_role, break_glass,
              restart, delivered, restore]
  system: {description: Name of the system., type: str, required: true}
  keepers: {description: Who holds an unseal key., type: list, elements: str, default: []}
  threshold: {description: How many of them unseal., type: int, default: 2}
  shares: {description: Where the controller keeps the encrypted shares., type: path}
  rehearsal_people: {description: Secret keys of the lab's own people; never in production., type: path}
  folder: {description: Where backups or reviews are kept on the controller., type: path}
  binary: {description: The store's program on the controller, for the empty store of a drill., type: path}
  reference: {description: The secret that is rotated., type: str}
  new: {description: Reference to its new value; a random token if none is given., type: str}
  refused: {description: The old value was seen refused; without that C(finish) destroys nothing., type: bool, default: false}
  role: {description: "C(<mount>/<static role>) of a database.", type: str}
  proof: {description: How C(prove) shows the value; C(jwt) signs a token with it., type: str, default: bearer, choices: [bearer, jwt]}
  url: {description: "C(prove): the address that asks for the token; C(rotate_role): C(postgres://host:port/database).", type: str}
  admin_url: {description: The rehearsal exchange's administration., type: str}
  admin_token: {description: Reference to its token., type: str}
  config: {description: As for vault_store., type: dict, default: {}}
  processes: {description: As for vault_store., type: dict, default: {}}
  audit_files: {description: The audit log on this task's host., type: list, elements: str, default: []}
  window_days: {description: How far back the audit log is read., type: int, default: 90}
  who: {description: Who breaks the glass., type: str, default: ""}
  reason: {description: Why., type: str, default: ""}
  minutes: {description: How long the emergency's token lives., type: int, default: 30}
  address: {description: "C(restart), C(restore): address of this host's node, where it is not vault_address.", type: str}
  files:
    description: "C(delivered): the file of the agent."
    type: list
    elements: path
    default: []
  turn: {description: "C(restart): who is due; the active node comes last.", type: str, default: standby, choices: [standby, active]}
  close:
    description: "C(break_glass): revoke the emergency's token. C(restore): a drill, which ends with the restored store sealed."
    type: bool
    default: false
attributes:
  check_mode: {support: full}
author: golive
"""

EXAMPLES = r"""
- name: A new token waits beside the old one
  store_act:
    act: stage
    system: kraken-micro
    reference: vault:kv/kraken-micro/alerts/receiver#token
"""

RETURN = r"""
changes:
  description: "Objects C(vault:ADDRESS), C(vault_secret:REFERENCE), C(vault_staged:REFERENCE), C(vault_snapshot:SYSTEM) …"
  returned: always
  type: list
problems:
  description: Sentences of an access review.
  returned: review
  type: list
"""

from ansible.module_utils.golive.controller_only import refuse  # noqa: E402 (Ansible wants the documentation first)


def main() -> None:
    """Refuse: without its action plugin this module has nobody to talk to."""
    refuse("store_act")


if __name__ == "__main__":
    main()
