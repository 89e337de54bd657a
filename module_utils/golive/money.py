"""What every money action shares: the run it belongs to, the host it acts on, the kill machines it asks first. Controller only."""
from __future__ import annotations

import json
import secrets as random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import context
from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.plugins.action import ActionBase
from ansible.plugins.loader import connection_loader

from . import arm_host, epoch, people, session, ticket
from .canonical import file_digest
from .errors import GoliveError

BYPASS = {"subset": "--limit", "start_at_task": "--start-at-task", "step": "--step", "skip_tags": "--skip-tags"}
RELEASE_LINK, CONFIG, RUNTIME, UNIT = "/opt/bot/current", "/etc/bot/live.json", "/run/bot/live", "bot-live.service"


class MoneyAction(ActionBase):  # type: ignore[misc]  # ansible has no types
    """Base of arm, disarm, ramp and of the drafting of tickets. Every failure is one sentence; no result holds a secret."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Act, and turn every error into one sentence."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        try:
            joined = session.join(task_vars)
            if joined.info["mode"] == "drift" and not self._task.check_mode:
                raise GoliveError("this run was opened as drift and must change nothing", todo="set check_mode on the play")
            return {**result, **self.act(joined, str(task_vars["inventory_hostname"]), task_vars)}
        except (GoliveError, ticket.Refused) as exc:
            return {**result, "failed": True, "changed": False, "msg": str(exc)}

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        """Do what the task is for; return the task's result."""
        raise NotImplementedError

    @staticmethod
    def flags() -> list[str]:
        """Return the command line flags that walk around a gate. The callback refuses them as well; it may be switched off."""
        used = [flag for name, flag in BYPASS.items() if context.CLIARGS.get(name)]
        if tuple(context.CLIARGS.get("tags") or ()) not in {(), ("all",)}:
            used.append("--tags")
        return used

    def on_host(self, act: str, task_vars: Mapping[str, Any], **payload: Any) -> dict[str, Any]:
        """Run one act of arm_host.py on the task's host and return its answer. Raises GoliveError with the host's own sentence."""
        nonce = random.token_hex(8)
        content = {"act": act, "nonce": nonce, "unit": UNIT, "verifier": file_digest(ticket.__file__), **payload}
        source = Path(arm_host.__file__).read_text("utf-8")
        script = f"{source}\n\nmain(json.loads({json.dumps(json.dumps(content))}))\n".encode()
        python = str(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3")
        host = str(task_vars["inventory_hostname"])
        try:
            out = self._low_level_execute_command(f"{python} -ISE -", in_data=script, sudoable=True)
        except AnsibleConnectionFailure:
            raise GoliveError("the host was not reached, nothing is known of it", where=host, todo="run again when it answers") from None
        except AnsibleError as exc:
            raise GoliveError("root is needed on the host", where=host, found=str(exc).strip().splitlines()[0][:200]) from None
        mark = f"--golive {nonce} "
        line = next((one for one in out["stdout"].splitlines() if one.startswith(mark)), None)
        if line is None:
            raise GoliveError("the host did not answer", where=host, found=f"exit {out['rc']}",
                              todo="run again: every step can be repeated")
        answer: dict[str, Any] = json.loads(line[len(mark):])
        if "problem" in answer:
            raise GoliveError(answer["problem"], where=host)
        return answer

    def epochs(self, task_vars: Mapping[str, Any]) -> dict[str, int | None]:
        """Ask every kill machine for its epoch now; None where one does not answer."""
        return {host: self._epoch_of(host, task_vars) for host in task_vars["groups"].get("kill_machines", [])}

    def _epoch_of(self, host: str, task_vars: Mapping[str, Any]) -> int | None:
        """The question goes out over a connection of its own: what a task or a variable says about an epoch is not an answer."""
        # Raw: only what the connection asks for is templated. Variables of roles may need what an action does not have.
        variables = {**task_vars["hostvars"].raw_get(host), "hostvars": task_vars["hostvars"]}
        templar = self._templar.copy_with_new_env(available_variables=variables)
        play_context = self._play_context.copy()
        play_context.remote_addr = str(templar.template(variables.get("ansible_host", host)))
        kind = str(templar.template(variables.get("ansible_connection", "ssh")))
        connection, _ = connection_loader.get_with_context(kind, play_context, new_stdin=None, task_uuid=self._task._uuid)
        if connection is None:
            return None
        try:
            connection.set_options(var_options=connection._resolve_option_variables(variables, templar))
            python = str(templar.template(variables.get("ansible_python_interpreter")) or "/usr/bin/python3")
            _, stdout, _ = connection.exec_command(f"{python} -ISE -", in_data=(epoch.READ % epoch.EPOCH_DIR).encode(), sudoable=False)
        except AnsibleError:
            return None
        finally:
            connection.close()
        return epoch.parse(stdout.decode("utf-8", "replace"))

    @staticmethod
    def profile_of(joined: session.Session) -> dict[str, Any]:
        """Return the frozen values of the profile."""
        values: dict[str, Any] = joined.run.need("profile.json")["values"]
        return values

    def policy_of(self, joined: session.Session, host: str, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the policy by which the host will judge, as the controller derives it from profile and roles file."""
        try:
            venue, mode, roles = str(values["exchange_venue"]), str(values["signoff_people"]), list(values["signoff_roles"])
        except KeyError as exc:
            raise GoliveError(f"the profile of this run does not hold {exc.args[0]}", todo="list it under golive_profile") from None
        known = people.load(session.ROOT / "signers" / joined.system / "roles.yml", joined.rehearsal)
        return people.policy(known, system=joined.system, host=host, venue=venue, mode=mode, roles=roles, release_link=RELEASE_LINK,
                             config=CONFIG, runtime=RUNTIME, positions=None)
