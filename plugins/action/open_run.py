"""Opens a run: binds the profile and the catalogue before the first contact with a target, and refuses what must not start."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible import context
from ansible._internal._datatag._tags import Origin  # the only way to know where a value stands
from ansible.errors import AnsibleError, AnsibleTemplatePluginError
from ansible.plugins.action import ActionBase
from ansible.utils.vars import load_extra_vars
from golive import acts, profile, role_inputs, rundir, saved_plan, session
from golive import compile as compiler
from golive.canonical import digest, utc
from golive.errors import GoliveError

ALWAYS = ("golive_day_seconds", "golive_waiting_times", "golive_profile")
ANSIBLE_OWN = ("ansible_",)


class ActionModule(ActionBase):
    """Task `open_run:` with `mode: real | drift`; the first task of every run, on the controller."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({"mode": {"choices": ["real", "drift"], "default": "real"}})
        try:
            return {**result, **self._open(task_vars, arguments["mode"])}
        except GoliveError as exc:
            return {**result, "failed": True, "msg": str(exc)}

    def _open(self, task_vars: dict[str, Any], mode: str) -> dict[str, Any]:
        system = session.system_of([str(task_vars["inventory_file"])])
        run = rundir.current(session.reports_of(system))
        groups = {name: list(hosts) for name, hosts in task_vars["groups"].items()}
        extra = sorted(name for name in load_extra_vars(self._loader) if not name.startswith(ANSIBLE_OWN))
        if "golive_dry" in extra:
            raise GoliveError("golive_dry must not be given with -e", todo="use --check for a dry run")
        if mode == "drift" and saved_plan.VARIABLE in extra:
            raise GoliveError(f"{saved_plan.VARIABLE} must not be given to a drift run", todo="it changes nothing; plan golive.yml")
        plan = saved_plan.of_run(run)
        rehearsal = bool(groups.get("rehearsal")) and not groups.get("production")
        bound = profile.freeze(self._values(task_vars), rehearsal=rehearsal)
        compiled = compiler.compile_system(system, bound)
        session.kind_of(groups)  # after everything that can be checked without hosts

        self._inputs(task_vars, groups)

        run.write("profile.json", bound.plain())
        run.write("compiled.json", compiled.plain())
        frozen = {"profile": bound.plain()["digest"], "catalogue": digest(compiled.controls), "checklist": digest(compiled.items),
                  "golive": session.code_digest()}
        hosts = {host: str(task_vars["hostvars"][host].get("ansible_host", host)) for host in groups["all"]}
        info = {"run": run.run, "system": system, "rehearsal": rehearsal, "started": utc(), "release": frozen,
                "mode": "drift" if mode == "drift" else "check" if context.CLIARGS.get("check") else "real",
                "extra_vars": extra, "shadowing": sorted(set(extra) & set(bound.values)), "groups": groups, "addresses": hosts}
        if plan is not None:
            info["saved_plan"] = plan["digest"]
        run.write("run.json", info)
        run.point_latest()
        acts.mend(run)
        acts.note(run, "open", run.run, {"mode": info["mode"], "rehearsal": rehearsal, "release": digest(frozen)})
        return {"changed": False, "path": str(run.path.relative_to(session.ROOT)), "digest": digest(info),
                "controls": len(compiled.controls), "lines": sum(len(section["items"]) for section in compiled.items)}

    def _values(self, task_vars: dict[str, Any]) -> dict[str, Any]:
        listed = [*(task_vars.get("golive_profile") or []), *(task_vars.get("golive_waiting_times") or [])]
        names = {*compiler.needed_variables(), *ALWAYS, *listed}
        values: dict[str, Any] = {}
        for name in sorted(names & set(task_vars)):
            raw = task_vars[name]
            # `raw` keeps its trust tag; an untrusted text would come back untemplated without an error (M16).
            values[name] = _plain(self._templar.template(raw) if role_inputs.templated(raw) else raw)
        return values

    def _inputs(self, task_vars: dict[str, Any], groups: dict[str, list[str]]) -> None:
        """Hold what the roles of this playbook are given against what they take. Raises GoliveError."""
        hostvars = task_vars["hostvars"]
        raw = {host: {**hostvars.raw_get(host), "hostvars": hostvars} for host in groups["all"]}

        def resolver(variables: Any) -> Any:
            templar = self._templar.copy_with_new_env(available_variables=variables)

            def resolve(value: Any) -> Any:
                try:
                    return templar.template(value)
                except AnsibleTemplatePluginError:
                    raise role_inputs.Left from None
                except AnsibleError as exc:
                    raise GoliveError(str(exc).strip().splitlines()[-1][:200]) from None
            return resolve

        for playbook in context.CLIARGS.get("args") or ():
            role_inputs.check(Path(playbook).resolve(), session.ROOT / "roles", groups,
                              lambda path: self._loader.load_from_file(path, trusted_as_template=True), raw.__getitem__, resolver, _place)


def _place(value: Any) -> str | None:
    """Return file and line of a value, from the root of the repository. Ansible keeps them with every value that it read from a file."""
    origin = Origin.get_tag(value)
    if origin is None or not origin.path:
        return None
    path = Path(origin.path)
    return f"{path.relative_to(session.ROOT) if path.is_relative_to(session.ROOT) else path.name}:{origin.line_num or 1}"


def _plain(value: Any) -> Any:
    """Return a value without Ansible's tags, so that it digests and serialises as the plain data it is."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
