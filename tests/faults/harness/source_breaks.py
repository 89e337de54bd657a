"""Breaks of the repository: one commit more, taken back afterwards with everything that remembered it."""
from __future__ import annotations

from .controller import Controller
from .fault import Fault, NotTaken, red
from .world import run

#: controls of CI: their records are about the commit before
CI = ("ci.unit_tests_pass", "ci.named_suite_passes", "code.sast_clean", "deps.no_known_vulns", "deps.up_to_date")


def committed(path: str, text: str, *controls: str, sign: str = "", append: bool = False) -> Fault:
    """Return the fault by which a commit holds this text; `sign` is what git shows of it afterwards."""

    def break_(world: Controller) -> None:
        before = (world.root / path).read_text("utf-8") if append else ""
        world.commit_file(path, before + text)

    def confirm(world: Controller) -> str:
        shown = run("git", "show", f"HEAD:{path}", cwd=world.root)
        if (sign or text).strip() not in shown:
            raise NotTaken(f"git show HEAD:{path} does not hold it")
        return f"git shows it in {path} at HEAD"

    return Fault("controller", "source", red(*controls), break_, confirm, lambda world: world.back_to_first(),
                 also=red(*CI, verdict="undecided"))
