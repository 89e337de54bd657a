#!/usr/bin/python
"""Ask an exchange what an API key may do, and judge it against least privilege."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: exchange_key_permissions
short_description: Ask an exchange what an API key may do, and judge it against least privilege
description:
  - Asks the venue's own call for the rights of the calling key, from the host it runs on, and compares the answer with what is demanded.
  - A right is V(true), V(false) or unknown. Unknown never passes. A right that the venue has and golive does not know is a problem.
  - Account-wide flags (C(canWithdraw) and the like) are never used. Nothing is ever withdrawn, ordered or changed to find out.
  - Run it where the key lives. An address allow-list would refuse every other host.
version_added: "0.1.0"
author: golive
options:
  venue:
    description: Which venue. The reference page lists them with what each can tell.
    type: str
    required: true
  credential:
    description:
      - Where the key is.
      - V(vault:MOUNT/PATH#FIELD) is read from the secret store by the controller, at use, in memory. All others are on the host itself.
      - V(sealed:/path) is a file made by C(systemd-creds encrypt), V(credential:NAME) a file in C($CREDENTIALS_DIRECTORY),
        V(file:/path) a file with mode 0600 on tmpfs. Each holds one JSON object with C(key), C(secret) and, where the venue has one,
        C(passphrase).
    type: str
  key_material:
    description:
      - The same JSON object (or its text) in memory, from a secret store's lookup. It travels inside the module's arguments on
        standard input and is written nowhere.
      - Exactly one of O(credential) and O(key_material) is given.
    type: raw
  market:
    description: What V(trade) is about at venues that tell markets apart. The venue's first market is the default.
    type: str
  environment:
    description: Which of the venue's hosts.
    type: str
    default: production
  rehearsal:
    description: Ask a rehearsal exchange. Only its keys and its marked answers are taken then, and neither without this.
    type: bool
    default: false
  base_url:
    description: C(https://host[:port]) instead of the venue's own.
    type: str
  ca_file:
    description: An extra CA in PEM form. Verification is never off.
    type: path
  proxy:
    description: C(http://host:port) of a CONNECT proxy without a password. Proxies of the environment are not used.
    type: str
  timeout:
    description: Hard deadline of the whole call in seconds, 0.1 to 120.
    type: float
    default: 10
  nonce_source:
    description:
      - How a nonce of the key may be spent, at venues that have nonces (Kraken, Bitfinex, Gemini). Without it such a venue is not asked.
      - V(bot_stopped) only if every unit in O(bot_units) is seen stopped. V(own_key) if no other process holds the key.
        V(venue_window) if the key has a nonce window at the venue. V(file) takes and raises the bot's own counter under its lock.
    type: str
    choices: [bot_stopped, own_key, venue_window, file]
  nonce_unit:
    description: The unit in which the bot counts. A larger one than the bot's makes every later nonce of the bot invalid.
    type: str
    choices: [ms, us, ns]
    default: ms
  nonce_file:
    description: The bot's counter, with O(nonce_source=file).
    type: path
  nonce_file_may_be_new:
    description:
      - Make O(nonce_file) if it is not there, for the owner of its directory, because the bot has never counted. Leave it out where the
        path was typed by hand. A mistyped one would read as a new bot.
    type: bool
    default: false
  bot_units:
    description: The systemd units that use this key, with O(nonce_source=bot_stopped).
    type: list
    elements: str
    default: []
  quiet_since:
    description:
      - RV(facts) C(nonce.spent) of an earlier result, while the bot is stopped. The key is asked with the next number.
        If it is refused, somebody else has used the key since.
    type: str
  allow:
    description: The only rights the key may have. V(cancel) needs no mention beside V(trade).
    type: list
    elements: str
    default: [read, trade]
  allow_any:
    description: Do not judge which rights the key has (O(forbid) and O(require) still hold).
    type: bool
    default: false
  require:
    description: Rights that the key must have. The venue's own names are taken too.
    type: list
    elements: str
    default: []
  forbid:
    description: Rights that the key must not have, also those that the venue cannot switch off. The venue's own names are taken too.
    type: list
    elements: str
    default: []
  ip_allowlist:
    description: What the key's address list must be.
    type: dict
    suboptions:
      match:
        description: V(exact) the same addresses, V(subset) none beyond them, V(restricted) any list at all.
        type: str
        required: true
        choices: [exact, subset, restricted]
      addresses:
        description: Addresses or networks. O(egress) is the default.
        type: list
        elements: str
        default: []
  egress:
    description: The addresses that this host is seen with outside.
    type: list
    elements: str
  egress_seen_by:
    description:
      - Instead of O(egress), C(https://host[:port]) of reflectors on hosts outside, which say with which address they see this host,
        over IPv4 and IPv6 apart (C(python -m golive.exchange.reflector)). The key is never sent to them.
    type: list
    elements: str
    default: []
  max_age_days:
    description: The oldest that the key may be.
    type: float
  min_days_left:
    description: The soonest that the key may expire. A key that never expires satisfies it.
    type: float
  enforce:
    description: Fail the task unless the verdict is V(pass). With V(false) the verdict is only reported.
    type: bool
    default: true
attributes:
  check_mode:
    support: full
    description: Can run in check_mode.
    details: It only asks, so it does the same in check mode. At a venue with nonces that spends one, if O(nonce_source) allows it.
  diff_mode:
    support: none
    description: Will return details on what has changed.
    details: It never changes anything.
seealso:
  - name: Check an exchange key
    description: How to run it at start, at rotation and in between.
    link: https://github.com/golive/golive/blob/main/docs/how-to/check-an-exchange-key.md
"""

EXAMPLES = r"""
- name: The live key can read and trade, from this host's addresses only
  exchange_key_permissions:
    venue: kraken
    credential: sealed:/etc/golive/arm/exchange_key.cred
    nonce_source: bot_stopped
    bot_units: [bot-live.service]
    require: [read, trade, query-open-trades]
    forbid: [withdraw]
    ip_allowlist: {match: exact, addresses: [192.0.2.10, "2001:db8::10"]}
    max_age_days: 90
    min_days_left: 14

- name: What does the key of the other bot allow
  exchange_key_permissions:
    venue: binance
    credential: file:/run/keys/other.json
    allow_any: true
    enforce: false
  register: other
"""

RETURN = r"""
verdict:
  description: V(pass), V(fail) or V(undecided).
  returned: always
  type: str
  sample: pass
problems:
  description: What is wrong with the key, each with what to do.
  returned: always
  type: list
  elements: str
undecided:
  description: What could not be known, with the venue's own words (redacted).
  returned: always
  type: list
  elements: str
facts:
  description:
    - What is known, flat. What is not known is absent. Names and units are on the reference page.
  returned: always
  type: dict
  sample: {"rights.granted": [read, trade], "rights.withdraw": false, "ip.restricted": true, "as_of": "2026-11-21T10:15:00Z"}
changes:
  description: Always empty.
  returned: always
  type: list
  elements: dict
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402 (Ansible wants the documentation first)
from ansible.module_utils.golive.errors import GoliveError  # noqa: E402
from ansible.module_utils.golive.exchange.spec import ARGUMENTS, ONE_KEY  # noqa: E402
from ansible.module_utils.golive.exchange.task import perform  # noqa: E402


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, mutually_exclusive=ONE_KEY, required_one_of=ONE_KEY, supports_check_mode=True)
    material = module.params.pop("key_material")  # no_log hides values, not the names in a mapping that was put together wrongly
    try:
        result = perform(module.params, material)
    except GoliveError as exc:
        module.fail_json(msg=str(exc), changed=False, changes=[])
    if module.params["enforce"] and result["verdict"] != "pass":
        module.fail_json(msg=result.pop("msg"), changed=False, **result)
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
