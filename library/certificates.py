#!/usr/bin/python
"""certificates: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: certificates
short_description: Key pairs made on the host, certified by an authority on the controller, renewed before they end
description:
  - The private key is made on the host and never leaves it. The action plugin certifies the public key with an authority whose key never
    leaves the controller. The names in a certificate are those of the task, whatever the host says.
  - Looked at in every run. A certificate that is absent, foreign, of other names, without its key or about to end is replaced, and so is
    its key.
options:
  authority:
    description: Files on the controller. With create_as a rehearsal makes its own authority of that name.
    type: dict
    required: true
    suboptions:
      certificate: {description: PEM., type: str, required: true}
      key: {description: "PEM, mode 0600.", type: str, required: true}
      create_as: {description: Common name of an authority that is made if there is none., type: str}
      create_days: {description: Life of that authority., type: float, default: 7}
  certificates:
    description: Wanted pairs. Their directories have to exist.
    type: list
    elements: dict
    default: []
    suboptions:
      certificate: {description: "Path of the certificate with its authority, mode 0644.", type: str, required: true}
      key: {description: "Path of the private key, mode 0640.", type: str, required: true}
      names: {description: Host names and addresses., type: list, elements: str, required: true}
      owner: {description: Owner of both files., type: str, default: root}
      group: {description: Group of both files., type: str}
  trust:
    description: Paths below /usr/local/share/ca-certificates where the authority is put, so that the whole host trusts it.
    type: list
    elements: str
    default: []
  days:
    description: Life of a certificate.
    type: float
    default: 30
  renew_before_days:
    description: How long before its end it is replaced.
    type: float
    default: 10
  renew_made_before:
    description: "UTC time; one that was made before it is replaced, however young. For a rotation."
    type: str
    default: ""
  renew_before_s:
    description: Set by the action plugin.
    type: int
  signed:
    description: Set by the action plugin.
    type: dict
    default: {}
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
- name: The store's certificate
  certificates:
    authority: {certificate: "{{ tls_authority_certificate }}", key: "{{ tls_authority_key }}"}
    certificates:
      - {certificate: /etc/golive/tls/vault.crt, key: /etc/golive/tls/vault.key, names: [vault, 192.0.2.14], group: vault}
"""

RETURN = r"""
changes:
  description: Objects C(certificate:PATH), C(trust:PATH); op create, renew or update; before is the reason.
  returned: always
  type: list
problems:
  description: What stands in the way, one sentence each.
  returned: always
  type: list
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.golive.sets.certificates import perform  # noqa: E402
from ansible.module_utils.golive.sets.core import leave  # noqa: E402
from ansible.module_utils.golive.sets.spec import MODULES  # noqa: E402


def main() -> None:
    """Carry out the set. Where a connection can stream, the action plugin sends the same without this file (golive.sets.acting)."""
    module = AnsibleModule(argument_spec=MODULES["certificates"], supports_check_mode=True)
    leave(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
