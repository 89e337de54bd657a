"""What the actions share that make records in a rehearsal: only there, only what is missing, and a dry run that names the same records."""
from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from .. import session, subject
from ..errors import GoliveError, Undecided
from ..money import MoneyAction
from . import records
from .records import Controls, Outcome

RELEASE_VARIABLE = "bot_release_sha256"


class RehearsalAction(MoneyAction):
    """Base of drill, wire_drill and load_drill."""

    kind = "drill"
    needs_hosts = True

    def names(self, known: Collection[str], default: Collection[str] | None = None) -> list[str]:
        """Return the names of the task's argument, by default all known ones or those of `default`.

        Raises GoliveError for one that nobody wrote.
        """
        wanted = list(known if default is None else default)
        _, given = self.validate_argument_spec({"names": {"type": "list", "elements": "str", "default": wanted}})
        unknown = sorted(set(given["names"]) - set(known))
        if unknown:
            raise GoliveError("nothing of this name is there to be run", found=", ".join(unknown), expected=", ".join(sorted(known)))
        return list(given["names"])

    def make(self, joined: session.Session, task_vars: dict[str, Any], names: Sequence[str],
             produce: Callable[[Path, str, Controls], list[Outcome]]) -> dict[str, Any]:
        """Tell which records are missing, or make them: `produce` takes folder, release and controls."""
        if not joined.rehearsal:
            raise GoliveError("golive drills only rehearsals by itself", todo="a drill in production: docs/how-to/drills.md")
        directory = session.ROOT / str(self.profile_of(joined)["evidence_directory"])
        controls = list(joined.run.need("compiled.json")["controls"].values())
        if self._task.check_mode:
            # The release that a real run would find installed here: the one that it would deploy before.
            return records.result(records.predicted(session.ROOT, joined.system, self.kind, names, directory, self.to_deploy(task_vars),
                                                    controls))
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        return records.result(produce(directory, self.release(joined, task_vars), controls))

    def release(self, joined: session.Session, task_vars: dict[str, Any]) -> str:
        """Return the release that a record is about: the one that the hosts hold, which has to be the one that the inventory names.

        Raises GoliveError for another one (a dry run would have named other records), and before one is bound to this run.
        """
        bound, about = self._bound(joined), self.to_deploy(task_vars)
        if bound is None and self.needs_hosts:
            raise GoliveError("no release is bound to this run yet: the bots' hosts have not said which one they hold",
                              todo="run the journey up to deploy before")
        if bound is not None and bound != about:
            raise GoliveError("the release that the inventory names is not the one that the hosts hold", found=bound[:19],
                              expected=about[:19], todo="deploy it (golive.yml), then drill")
        return about

    @staticmethod
    def _bound(joined: session.Session) -> str | None:
        try:
            return subject.of("current", {"run_dir": str(joined.run.path)})
        except Undecided:
            return None

    def to_deploy(self, task_vars: dict[str, Any]) -> str:
        """Return the digest of the release that the inventory names for the bot's hosts."""
        return f"sha256:{self._templar.template(task_vars[RELEASE_VARIABLE])}"


class ReleaseAction(RehearsalAction):
    """Base of what runs copies of the release on the controller: it needs no host, so also no release on one."""

    needs_hosts = False

    def archive(self, task_vars: dict[str, Any]) -> Path:
        """Return where the release lies that the inventory names."""
        return Path(str(self._templar.template(task_vars["bot_release_archive"])))
