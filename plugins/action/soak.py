"""soak: in a rehearsal, and only there, watches the memory of a unit of the paper run beside it, and signs how it grew."""
from __future__ import annotations

from pathlib import Path
from typing import Any

from golive import session
from golive.errors import GoliveError
from golive.rehearsal import records, soak
from golive.rehearsal.acting import RehearsalAction
from golive.rehearsal.drills import hosts


class ActionModule(RehearsalAction):
    """Task `soak:` with `unit` and `step` on the bot's host: `begin` starts the sampler while a record is missing, `collect` signs.

    `collect` goes on sampling until the longest window of the profile is reached, then stops the sampler.
    """

    kind = "load"

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        text = {"type": "str", "required": True}
        _, given = self.validate_argument_spec({"unit": text, "step": {**text, "choices": ["begin", "collect"]}})
        values, bot = self.profile_of(joined), hosts.of(host, task_vars["hostvars"][host])

        def begin(directory: Path, about: str, controls: records.Controls) -> list[records.Outcome]:
            if self._missing(joined, directory, about, controls) and soak.begin(bot, given["unit"]):
                return [records.Outcome(self.kind, "soak", "none", "the sampler has begun")]
            return []

        def collect(directory: Path, about: str, controls: records.Controls) -> list[records.Outcome]:
            todo = self._missing(joined, directory, about, controls)
            done = records.held(self.kind, list(soak.WINDOWS), todo)
            if todo:
                done += self._signed(joined, directory, about, todo, bot, given["unit"], values)
            soak.end(bot)
            return done

        if self._task.check_mode and given["step"] == "begin":
            return {"changed": False, "changes": [], "told": []}  # begun and ended within one run: nothing is left that could be predicted
        return self.make(joined, task_vars, list(soak.WINDOWS), begin if given["step"] == "begin" else collect)

    def _missing(self, joined: session.Session, directory: Path, about: str, controls: records.Controls) -> list[str]:
        return records.missing(session.ROOT, joined.system, self.kind, list(soak.WINDOWS), directory, about, controls)

    def _signed(self, joined: session.Session, directory: Path, about: str, todo: list[str], bot: hosts.Host, unit: str,
                values: dict[str, Any]) -> list[records.Outcome]:
        soak.begin(bot, unit)
        seconds = {name: float(values[soak.WINDOWS[name]]) for name in todo}
        longest = max(seconds.values()) + soak.EVERY_S
        deadline = longest + hosts.DEADLINE_S
        try:
            hosts.wait_for(lambda: soak.lasted(soak.samples(bot)) >= longest, "the soak lasts long enough", deadline, pause_s=1)
        except hosts.NotSeen as exc:
            raise GoliveError(f"did not come true: {exc}", where=bot.name, todo="look whether the unit of the paper run is up") from None
        found = soak.samples(bot)
        return [records.sign(session.ROOT, joined.system, self.kind, directory, about, {
            "name": name, **soak.measured(found, seconds[name], float(values["hour_s"])), "witness": "kernel"}) for name in todo]
