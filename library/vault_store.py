#!/usr/bin/python
"""vault_store: see DOCUMENTATION. The work is done by the action plugin of the same name, on the controller."""
from __future__ import annotations

DOCUMENTATION = r"""
module: vault_store
short_description: A secret store that is initialised, unsealed and configured as code
description:
  - Runs on the controller through hvac, with vault_address, vault_controller_ca_file and vault_controller_identity of the inventory.
  - Safe to repeat after a crash at any point; what is done is seen at the store itself.
options:
  system: {description: Name of the system., type: str, required: true}
  audit_files: {description: Files of the audit devices on the store's host., type: list, elements: str, required: true}
  controller_cidrs: {description: From where the controller may log in., type: list, elements: str, default: []}
  keepers: {description: Who holds an unseal key., type: list, elements: str, required: true}
  keepers_public: {description: Their OpenPGP public keys in base64., type: list, elements: str, default: []}
  threshold: {description: How many of them unseal., type: int, required: true}
  address: {description: "Address of this very node, where it is not vault_address.", type: str}
  member: {description: A further node of a cluster; it joins and is unsealed and the first node configures., type: bool, default: false}
  voters: {description: "Changes nothing: wait until so many members of the cluster vote.", type: int, default: 0}
  opens_itself: {description: "Another store holds the key of this one, so nobody unseals it.", type: bool, default: false}
  server_audits:
    description: The server makes its audit devices out of its own configuration, as OpenBao does; they are compared and never made.
    type: bool
    default: false
  shares: {description: Where the controller keeps the encrypted shares., type: path, required: true}
  rehearsal_people: {description: Secret keys of the lab's own people; never in production., type: path}
  config:
    description: >-
      What else the store should hold, by section C(mounts auths policies approles password_policies quotas transit_keys pki_roots
      pki_intermediates pki_roles plugins databases database_roles database_static_roles). Fields as the API names them, secrets as
      references under C(secret).
    type: dict
    default: {}
  processes:
    description: "Who reads what: C({name: {reads: [path], from: [address], token_period: s, secret_id_ttl: s}})."
    type: dict
    default: {}
  identity_ttl: {description: Seconds after which the controller's secret id ends and is made anew; 0 is never., type: int, default: 0}
attributes:
  check_mode: {support: full}
author: golive
"""

EXAMPLES = r"""
- name: The store is configured
  vault_store:
    system: kraken-micro
    audit_files: [/var/log/vault/audit.log]
    keepers: [ada, bob]
    threshold: 2
    shares: ~/.config/golive/kraken-micro/shares
"""

RETURN = r"""
changes:
  description: Objects C(vault:ADDRESS), C(vault_mount:…), C(vault_policy:…) …; op initialise, unseal, create, update.
  returned: always
  type: list
surplus:
  description: Objects that are in the store and not in code; never removed. In a drift run they are changes with op C(surplus) as well.
  returned: always
  type: list
"""

from ansible.module_utils.golive.controller_only import refuse  # noqa: E402 (Ansible wants the documentation first)


def main() -> None:
    """Refuse: without its action plugin this module has nobody to talk to."""
    refuse("vault_store")


if __name__ == "__main__":
    main()
