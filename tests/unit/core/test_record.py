"""Which phases a gate has to judge again: those that a host was observed in after it had judged."""
from __future__ import annotations

from pathlib import Path

import pytest
from golive import record, rundir

AT = "2026-11-21T10:00:00Z"


@pytest.mark.parametrize(("finished", "again"), [("2026-11-21T09:59:59Z", False), (AT, False), ("2026-11-21T10:00:01Z", True)])
def test_one_host_that_was_observed_later_is_enough(tmp_path: Path, finished: str, again: bool) -> None:
    run = rundir.RunDir.create(tmp_path)
    run.write("verify/bot.json", {"finished": "2026-11-21T09:59:58Z"})
    run.write("verify/guard.json", {"finished": finished})
    run.write("verify/gate.json", {"at": AT, "finished": "2026-11-21T11:00:00Z"})
    run.write("verify/plan.bot.json", {"finished": "2026-11-21T11:00:00Z"})
    assert record.observed_since(run, "verify", AT) is again


def test_a_phase_that_nobody_observed_is_not_judged_again(tmp_path: Path) -> None:
    assert not record.observed_since(rundir.RunDir.create(tmp_path), "verify", AT)
