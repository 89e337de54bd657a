#!/usr/bin/python
"""managed_files: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: managed_files
short_description: A set of directories, files, links, access control lists and unpacked releases on a host
description:
  - The action plugin of the same name takes these options, renders templates, reads sources and resolves secrets on the controller,
    and sends the set to this module over the pipelined connection; no content touches a temporary file on either side.
  - An owner who does not exist yet is a prediction in check mode, and an error in a real run.
  - Files are written whole or not at all (temporary file, fsync, rename). Results hold digests, of secrets not even those.
options:
  directories:
    description: Wanted directories. The one above has to exist or to be in the set.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: str, required: true}
      owner: {description: Owner., type: str, default: root}
      group: {description: Group; the owner's name if left out., type: str}
      mode: {description: Octal, quoted. 0755 for directories and 0644 for files if left out., type: str}
      acl: {description: "Entries C({user|group, permissions, default})", type: list, elements: dict, default: []}
      purge: {description: Delete what the set does not name directly in this directory., type: bool, default: false}
      keep: {description: Paths that purge leaves alone., type: list, elements: str, default: []}
  files:
    description: Wanted files. Without content, template, source and secret only owner, mode and acl are kept.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: str, required: true}
      owner: {description: Owner., type: str, default: root}
      group: {description: Group; the owner's name if left out., type: str}
      mode: {description: Octal, quoted., type: str}
      acl: {description: "Entries C({user|group, permissions})", type: list, elements: dict, default: []}
      content: {description: The content itself., type: str}
      template: {description: A template of the role., type: str}
      variables: {description: Additional variables of the template., type: dict, default: {}}
      source: {description: A file of the role, or an absolute path on the controller., type: str}
      secret: {description: "A reference such as C(vault:kv/bot/key#value).", type: str}
      validate:
        description: argv with C(%s) for a private copy of the new content; asked in both modes if the program is there.
        type: list
        elements: str
      create_only: {description: Leave an existing file as it is., type: bool, default: false}
  links:
    description: Symbolic links, switched in one step. With replace a plain file in its place is replaced.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Absolute path., type: str, required: true}
      to: {description: Target., type: str, required: true}
      replace: {description: Replace a plain file., type: bool, default: false}
  absent:
    description: Paths that do not exist. Directories go with all they hold.
    type: list
    elements: str
    default: []
  releases:
    description: Archives that stand unpacked, owned by root, in C(path/sha256). A tree that somebody altered is replaced.
    type: list
    elements: dict
    default: []
    suboptions:
      path: {description: Directory of the releases., type: str, required: true}
      archive: {description: tar.gz on the controller., type: str, required: true}
      sha256: {description: Its digest in 64 hex digits., type: str, required: true}
  payload:
    description: The set in JSON, contents in base64. Written by the action plugin.
    type: str
  uploads:
    description: Archives that the action plugin brought, by their sha256.
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
- name: The bot's places
  managed_files:
    directories:
      - {path: /var/lib/bot, owner: bot, mode: "0750"}
    files:
      - {path: /etc/bot/wire.json, template: instance.json.j2, group: bot, mode: "0640", validate: [python3, -m, json.tool, "%s"]}
    releases:
      - {path: /opt/bot/releases, archive: "{{ bot_archive }}", sha256: "{{ bot_release_sha256 }}"}
    links:
      - {path: /opt/bot/current, to: "releases/{{ bot_release_sha256 }}"}
"""

RETURN = r"""
changes:
  description: Objects C(dir:PATH), C(file:PATH), C(link:PATH), C(release:PATH); op create, update or delete; mode, owner, digest.
  returned: always
  type: list
problems:
  description: What stands in the way, one sentence each.
  returned: always
  type: list
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402
from ansible.module_utils.golive.sets.core import leave  # noqa: E402
from ansible.module_utils.golive.sets.managed_files import perform  # noqa: E402
from ansible.module_utils.golive.sets.spec import MODULES  # noqa: E402


def main() -> None:
    """Carry out the set. Where a connection can stream, the action plugin sends the same without this file (golive.sets.acting)."""
    module = AnsibleModule(argument_spec=MODULES["managed_files"], supports_check_mode=True)
    leave(module, perform(module.params, module.check_mode))


if __name__ == "__main__":
    main()
