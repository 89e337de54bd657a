"""stage_record: signs what the stage that is armed has shown, before the next one may be: in a rehearsal the lab signs."""
from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from secrets import token_hex
from typing import Any

from golive import acts, bundle, canonical, envelope, evidence, plan, ramp, record, rehearsal_signers, session, stage, subject
from golive.errors import GoliveError, Undecided
from golive.money import MoneyAction

LAB_ISSUER, LASTS = "lab-drill", timedelta(days=7)
# Where no critical alert fires the series is empty; it counts as zero only while Prometheus itself was there to see it.
CRITICAL = '(sum(ALERTS{alertstate="firing",severity="critical"}) or vector(0)) and on() (count(up) > 0)'


class ActionModule(MoneyAction):
    """Task `stage_record:` with `prometheus_url`, on the bot's host; in production also `issuer` and `key`, as enrolled in roles.yml.

    It reads on the host, and signs once, when the stage is decided.

    Nothing is armed, the last stage, the wanted stage is the armed one, or the time is not over: result `decided: false` with the reason.
    """

    def act(self, joined: session.Session, host: str, task_vars: dict[str, Any]) -> dict[str, Any]:
        _, given = self.validate_argument_spec({"prometheus_url": {"type": "str", "required": True},
                                                "issuer": {"type": "str", "default": LAB_ISSUER}, "key": {"type": "path"}})
        values, shown = self.profile_of(joined), self.on_host("state", task_vars)["show"]
        stages = list(values["ramp_stages"])
        names, next_one = [str(one["name"]) for one in stages], str(values["ramp_stage_now"]["name"])
        armed = shown["ticket"] if shown["state"] == "valid" else None
        if armed is None or armed["stage"] not in names[:-1] or next_one != names[names.index(armed["stage"]) + 1]:
            return {"changed": False, "decided": False, "reason": "no stage is armed that the wanted one follows"}
        number, now = names.index(armed["stage"]) + 2, canonical.parse_utc(canonical.utc())
        directory = session.ROOT / str(values["evidence_directory"])
        about = subject.of("current", {"run_dir": str(joined.run.path)})
        try:
            lines = acts.log_of(joined.run).verify().lines
            since = stage.began(lines, host, armed)
            held = self._held(joined, directory, number, about, since, now, values)
            if held or self._task.check_mode:
                return {"changed": False, "decided": held is not None, "record": held}
            days = (now - since).total_seconds() / float(values["day_s"])
            if days < float(values["ramp_stage_days_min"]):
                left = (float(values["ramp_stage_days_min"]) - days) * float(values["day_s"])
                until = canonical.utc(now + timedelta(seconds=left + 1))
                raise Undecided(f"stage {armed['stage']} lasts {days:.1f} days of {values['ramp_stage_days_min']}", until=until)
            windows = (now - since).total_seconds(), (now - stage.released(lines, since)).total_seconds()
            payload = self._payload(joined, host, task_vars, values, shown, windows, days, number, stages[number - 2],
                                    given["prometheus_url"])
        except Undecided as exc:
            if self._task.check_mode:
                return {"changed": False, "decided": False, "reason": exc.reason, "until": exc.until}
            raise GoliveError(f"stage {armed['stage']} is not decided: {exc.reason}", where=host,
                              todo=f"run again after {exc.until}" if exc.until else None) from None
        short = self._short(armed["stage"], payload, values)
        if short:  # not a record: it would say for ever that the lift which never was came on a stage that was not green
            acts.note(joined.run, "stage.refused", host, {"reasons": short})
            raise GoliveError("; ".join(short), where=host, todo="a stage that is not green lifts nothing; see its lines in the report")
        data = envelope.build(kind="drill", name=payload["name"], system=joined.system, subject=about, issued=now, lasts=LASTS,
                              issuer=given["issuer"], role="issuer", payload=payload)
        path = envelope.write(directory, data, self._key(joined, given), given["issuer"])
        acts.note(joined.run, "stage.decided", host, {"record": canonical.digest(data), "passed": payload["passed"]})
        return {"changed": False, "decided": True, "record": path.stem, "passed": payload["passed"], "result": payload["result"]}

    @staticmethod
    def _key(joined: session.Session, given: dict[str, Any]) -> Path:
        if joined.rehearsal:
            return rehearsal_signers.key_of(session.ROOT, joined.system, LAB_ISSUER)
        if not given["key"] or given["issuer"] == LAB_ISSUER:
            raise GoliveError("nobody was named who signs drills", where="stage_record", todo="give issuer and key, enrolled in roles.yml")
        return Path(given["key"])

    @staticmethod
    def _held(joined: session.Session, directory: Path, number: int, about: str, since: datetime, now: datetime,
              values: dict[str, Any]) -> str | None:
        """Return the record of this stage that is good enough already: the next stage's rules decide that, and nobody signs twice."""
        reader = envelope.reader(session.ROOT, joined.system, now, rehearsal=joined.rehearsal)
        try:
            found = evidence.newest(reader, directory, "drill", f"ramp_stage_{number}")
            facts = {**evidence.facts(found, about, now), "opportunities": found.payload["opportunities"]}
        except Undecided:
            return None
        short = ramp.undecided("", facts, float(values["ramp_stage_days_min"]), int(values["ramp_fills_min"]))
        return found.id if found.issued > since and not short else None

    @staticmethod
    def _short(name: str, payload: dict[str, Any], values: dict[str, Any]) -> list[str]:
        """Return why the stage does not let the next one be armed, by the very rules of the act."""
        facts = {"passed": payload["passed"], "opportunities": payload["opportunities"],
                 **{f"result.{key}": value for key, value in payload["result"].items()}}
        return ramp.undecided(name, facts, float(values["ramp_stage_days_min"]), int(values["ramp_fills_min"]))

    def _payload(self, joined: session.Session, host: str, task_vars: dict[str, Any], values: dict[str, Any], shown: dict[str, Any],
                 windows: tuple[float, float], days: float, number: int, of_stage: dict[str, Any], url: str) -> dict[str, Any]:
        ledger = {"path": "/var/lib/bot/live/ledger.jsonl", "window_s": windows[0]}
        asks = [("ledger", {**ledger, "question": "pnl", "day_s": values["day_s"]}), ("ledger", {**ledger, "question": "orders"}),
                ("prometheus_query", {"url": url, "expr": CRITICAL, "window_s": windows[1], "step_s": values["prometheus_step_s"],
                                      "word": "golive"})]
        pnl, orders, alerts = self._asked(joined, host, task_vars, asks)
        controls = joined.run.need("compiled.json")["controls"]
        red = stage.red([one for phase in ("live", "operate") for one in record.judged(joined.run, joined.info, phase)], controls)
        return stage.payload(number=number, stage=of_stage, days=days, ledger={**orders, **pnl}, fills=2 * int(pnl["trades"]),
                             alerts=int(float(alerts["max"])), signers=len(shown["people"]),
                             signers_min=int(values["signoff_distinct"]), red=red)

    def _asked(self, joined: session.Session, host: str, task_vars: dict[str, Any], asks: list[tuple[str, dict[str, Any]]]) -> list[Any]:
        """Ask probes on the host, outside any phase, and return their facts. Raises Undecided with the first that could not know."""
        probes = [{"id": f"p{at}", "probe": name, "subject": host, "ask": ask, "deadline_s": bundle.probe(name).deadline_s,
                   "digest": bundle.probe(name).digest, "controls": []} for at, (name, ask) in enumerate(asks)]
        nonce = token_hex(8)
        questions = {"run": joined.run.run, "phase": "operate", "host": host, "rehearsal": joined.rehearsal, "nonce": nonce,
                     "deadline_s": plan.SLACK_S + sum(bundle.probe(name).deadline_s for name, _ask in asks), "probes": probes}
        python = str(task_vars.get("ansible_python_interpreter") or "/usr/bin/python3")
        out = self._low_level_execute_command(f"{python} -ISE -", in_data=bundle.script(questions, {}), sudoable=True)
        found = {one.get("id"): one for one in session.answers(out["stdout"], nonce)}
        for one in probes:
            answer = found.get(one["id"]) or {}
            if answer.get("undecided") or not isinstance(answer.get("facts"), dict):
                raise Undecided(str(answer.get("undecided") or f"the probe {one['probe']} gave no answer"), until=answer.get("until"))
        return [found[one["id"]]["facts"] for one in probes]
