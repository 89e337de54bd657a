"""arming_policy: what a bot's host is enrolled as, from the profile and the roles file of its system."""
from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from golive import people, session
from golive.errors import GoliveError
from golive.money import CONFIG, RELEASE_LINK, RUNTIME

DOCUMENTATION = """
    name: arming_policy
    author: golive
    short_description: The policy by which a bot's host judges tickets
    description: For the host of the task. Role bot writes it to /etc/golive/arm/policy.json; see docs/explanation/arming.md.
    options:
      part:
        description: C(policy), or C(signers) for the path of the allowed_signers file (empty where it does not exist yet).
        default: policy
      positions:
        description: Absolute argv of a program that prints as JSON how many positions the venue says are open; none if left out.
        type: list
        elements: str
"""
RETURN = """
    _raw: {description: "One policy, or one path.", type: list, elements: raw}
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: Any = None, **options: Any) -> list[Any]:
        del terms
        try:
            system = str(self._templar.template(variables["golive_system"]))
            groups = variables["groups"]
            rehearsal = bool(groups.get("rehearsal")) and not groups.get("production")
            if options.get("part") == "signers":
                path = session.ROOT / "signers" / system / f"{'rehearsal' if rehearsal else 'production'}.allowed_signers"
                return [str(path) if path.is_file() else ""]
            known = people.load(session.ROOT / "signers" / system / "roles.yml", rehearsal)
            value = {name: self._templar.template(variables[name]) for name in ("exchange_venue", "signoff_people", "signoff_roles")}
            return [people.policy(known, system=system, host=str(variables["inventory_hostname"]), venue=str(value["exchange_venue"]),
                                  mode=str(value["signoff_people"]), roles=[str(one) for one in value["signoff_roles"]],
                                  release_link=RELEASE_LINK, config=CONFIG, runtime=RUNTIME,
                                  positions=[str(one) for one in options["positions"]] if options.get("positions") else None)]
        except KeyError as exc:
            raise AnsibleError(f"arming_policy: the variable {exc.args[0]} is missing") from None
        except GoliveError as exc:
            raise AnsibleError(str(exc)) from None
