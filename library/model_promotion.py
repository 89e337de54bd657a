#!/usr/bin/python
"""model_promotion: see DOCUMENTATION."""
from __future__ import annotations

DOCUMENTATION = r"""
module: model_promotion
short_description: Takes models from candidate over validated to approved, and back, so that a live bot reads one file only
description:
  - A candidate is named by the sha256 of the list of its files. Four gates judge it (INTEGRITY, SCHEMA, OOS_METRICS, RISK_CHECKS); people
    sign that this candidate with this judgement may trade; then C(approved_model.json) is replaced in one step, after the line in the
    hash-chained C(approvals.jsonl) is on the disk.
  - The model itself is never loaded. Metrics are computed from recorded predictions, never taken from the candidate.
  - Safe to repeat after a crash at any instruction. Run it as the registry's owner (role C(model_registry)).
  - In check mode everything is looked at and nothing written; a refusal is predicted as a refusal.
options:
  action:
    description:
      - C(register) takes a candidate in, C(validate) judges it, C(approve) puts it into force, C(rollback) an earlier one,
        C(info) and C(verify) only look, C(prune) takes away what retention does not keep.
    type: str
    required: true
    choices: [register, validate, approve, rollback, info, verify, prune]
  store:
    description: Where the registry lies. Exactly one of C(path) and C(bucket).
    type: dict
    required: true
    suboptions:
      path: {description: Directory of all scopes., type: path}
      bucket: {description: "S3 bucket with versioning (needs boto3 where the module runs)", type: str}
      prefix: {description: Prefix in the bucket., type: str, default: ""}
      endpoint: {description: "C(https://host[:port]) of the object store, if it is not AWS", type: str}
      region: {description: Region of the bucket., type: str}
      lock_days: {description: Days of object lock on each line of the log and each approved model. 0 means none., type: int, default: 0}
      ca_file: {description: An authority for the endpoint's certificate., type: path}
  scope: {description: "Scope, such as C(crypto/kraken_global)", type: str, required: true}
  system: {description: Name of the trading system, type: str, required: true}
  rehearsal: {description: Signatures are those of a rehearsal's lab., type: bool, default: false}
  profile: {description: "Thresholds of the gates, see the how-to. One that is missing leaves its gate undecided.", type: dict, default: {}}
  bot_schema: {description: "The bot's schema, C({features: [{name, dtype, min, max}], outputs: [{name, dtype}]})", type: dict}
  signers: {description: Text of the allowed_signers. The repository's for this system if left out., type: str, default: ""}
  people: {description: "C({principal: {person, roles}}). The repository's roles.yml if left out.", type: dict, default: {}}
  issuers: {description: "C({principal: kind of evidence}). The repository's roles.yml if left out.", type: dict, default: {}}
  approvers: {description: How many distinct people must have signed., type: int, default: 2}
  approver_role: {description: The role that they must have., type: str, default: approver}
  window: {description: "Downtime in UTC in which models are promoted, C(HH:MM-HH:MM)", type: str, default: "03:00-05:00"}
  source: {description: "C(register): folder of the trainer. C(validate): lets check mode judge what is not registered yet.", type: path}
  evidence: {description: "C(validate): folder with predictions and signed records", type: path}
  candidate: {description: "Digest of the candidate; of C(rollback), the model to go back to", type: str}
  validation: {description: "C(approve): digest of the validation that was signed", type: str}
  approvals: {description: "C(approve): folder with signed approvals where the module runs", type: path}
  approvals_from: {description: "C(approve): the same on the controller; sent in memory", type: path}
  approval_texts: {description: "Set by the action plugin from O(approvals_from): file name and content", type: dict, default: {}}
  confirm: {description: "C(approve): nothing is promoted without it", type: bool, default: false}
  force_reason: {description: "C(approve): promote outside of the window, for this reason", type: str}
  away_from: {description: "C(rollback): the model to leave; nothing happens where another one is in force", type: str}
  reason: {description: "C(rollback): why", type: str}
  actor: {description: Who acts; the account if left out., type: str}
  run: {description: Run id for the log., type: str, default: "-"}
  heads:
    description: "C(verify): heads C(SEQ:sha256:HEX) that were carried away and must lie on the log"
    type: list
    elements: str
    default: []
  every_signature:
    description: "C(verify): check the signatures of all approvals, not only of the model in force"
    type: bool
    default: false
  keep_candidates: {description: "C(prune): candidates that were never in force to keep", type: int, default: 20}
  keep_models: {description: "C(prune): models that were in force to keep, at least 2", type: int, default: 10}
  wait_s: {description: Longest wait for another promotion to end., type: float, default: 10}
  golive_drift: {description: Set by the action plugin., type: bool, default: false}
attributes:
  check_mode: {support: full, description: "Predicts the changes and the refusals, and writes nothing"}
  diff_mode: {support: full, description: Digests and metrics of the model before and after}
author: golive
"""
EXAMPLES = r"""
- name: The candidate that was signed trades from now on
  become: true
  become_user: model-registry
  model_promotion:
    action: approve
    store: {path: /srv/data/artifacts}
    scope: crypto/kraken_global
    system: kraken-global
    profile: "{{ model_profile }}"
    bot_schema: "{{ model_bot_schema }}"
    candidate: sha256:9f0c…
    validation: sha256:41ab…
    approvals_from: attestations/kraken-global
    confirm: true

- name: Back to the model before
  become: true
  become_user: model-registry
  model_promotion:
    action: rollback
    store: {path: /srv/data/artifacts}
    scope: crypto/kraken_global
    system: kraken-global
    away_from: sha256:9f0c…
    reason: turnover three times of what was validated
"""
RETURN = r"""
changes:
  description: "C({object, op, before, after}) of candidate, validation, model, log and pointer; digests only"
  type: list
  returned: always
problems: {description: "Why it was refused, by gate", type: list, returned: always}
facts: {description: "Digests, verdicts, metrics, lineage; of C(rollback) C(switch_ms) and C(integrity_s)", type: dict, returned: always}
code: {description: "Word for the kind of refusal, such as C(closed), C(too_few), C(gates), C(busy)", type: str, returned: failure}
"""

from ansible.module_utils.basic import AnsibleModule  # noqa: E402 (documentation comes first in a module)
from ansible.module_utils.golive.model_registry.task import SPEC, perform  # noqa: E402


def main() -> None:
    """Run the module."""
    module = AnsibleModule(SPEC, supports_check_mode=True)
    result = perform(module.params, module.check_mode)
    if result.pop("failed", False):
        module.fail_json(**result)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
