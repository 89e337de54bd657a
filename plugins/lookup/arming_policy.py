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
      positions:
        description: Absolute argv that prints C({"open": N}) as the venue says it; none if left out.
        type: list
        elements: str
"""
RETURN = """
    _raw: {description: "One policy.", type: list, elements: dict}
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """See DOCUMENTATION."""

    def run(self, terms: list[str], variables: Any = None, **options: Any) -> list[dict[str, Any]]:
        del terms
        try:
            system = session.system_of([str(variables["inventory_file"])])
            groups = variables["groups"]
            rehearsal = bool(groups.get("rehearsal")) and not groups.get("production")
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
