"""What runs on a target runs on Python 3.9: read as 3.9 by the parser, and carried out by a real 3.9 where this machine has one."""
from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from golive import bundle
from golive.exchange import pack

from tests.fixtures import models as m

ROOT = Path(__file__).resolve().parents[3]
SENT = bundle.sources(["golive.model_registry.command", "golive.model_registry.scratch", "golive.probes.model_registry",
                       "golive.probes.file_access"])


def oldest_python() -> str:
    """Return a Python 3.9 (GOLIVE_OLDEST_PYTHON, or pyenv's), or else the one that runs the tests."""
    found = [os.environ.get("GOLIVE_OLDEST_PYTHON", ""), *map(str, sorted(Path.home().glob(".pyenv/versions/3.9.*/bin/python3.9")))]
    return next((one for one in found if one), sys.executable)


@pytest.mark.parametrize("name", sorted(SENT))
def test_its_sources_are_python_3_9(name: str) -> None:
    ast.parse(SENT[name][1], name, feature_version=(3, 9))


def test_the_module_itself_is_python_3_9() -> None:
    ast.parse((ROOT / "library/model_promotion.py").read_text(), feature_version=(3, 9))
    with pytest.raises(SyntaxError):       # the control: the parser does refuse what 3.9 cannot read
        ast.parse("match 1:\n    case _: pass\n", feature_version=(3, 9))


class Tool:
    """The one-file tool, run by the oldest Python."""

    def __init__(self, world: m.World) -> None:
        self.world, self.pyz = world, pack.cached("model_registry")

    def __call__(self, action: str, *words: str, refused: bool = False, **more: Any) -> dict[str, Any]:
        given = {key: one for key, one in self.world.given(action, **more).items() if one is not None}
        path = self.world.place / "parameters.json"
        path.write_text(json.dumps(given))
        done = subprocess.run([oldest_python(), "-I", str(self.pyz), "run", str(path), *words], capture_output=True, text=True, check=False)
        assert done.stderr == ""
        result: dict[str, Any] = json.loads(done.stdout)
        assert (done.returncode, bool(result.get("failed"))) == ((1, True) if refused else (0, False)), result
        return result


def test_a_model_goes_all_the_way_and_back_on_the_oldest_python(world: m.World) -> None:
    tool, now, given = Tool(world), datetime.now(UTC), []
    for seed in (0, 1):
        digest = tool("register", source=str(m.candidate(world.place / f"source-{seed}", seed)))["facts"]["candidate"]
        evidence = m.evidence(world.place / f"evidence-{seed}", digest, issued=now - timedelta(minutes=5))
        validation = tool("validate", candidate=digest, evidence=str(evidence))["facts"]["validation"]
        approvals = m.approve(world.place / f"approvals-{seed}", digest, validation, issued=now - timedelta(minutes=2))
        given.append({"candidate": digest, "validation": validation, "approvals": str(approvals), "confirm": True,
                      "force_reason": "tests do not wait for the night"})
        predicted = tool("approve", "--check", **given[-1])
        assert predicted["changes"] == tool("approve", **given[-1])["changes"] != []
    assert "confirm" in tool("approve", refused=True, **{**given[0], "confirm": False})["msg"]
    assert tool("rollback", reason="it trades too much", away_from=given[1]["candidate"])["changes"]
    assert tool("info")["facts"]["approved"]["digest"] == given[0]["candidate"]
    assert tool("verify", every_signature=True)["problems"] == []
    assert tool("prune")["changes"] == []


def test_the_probe_and_its_scratch_registry_run_on_the_oldest_python(world: m.World, tmp_path: Path) -> None:
    world.must("approve", **world.signed(0))
    plan = {"run": "r", "phase": "verify", "host": "bot", "rehearsal": True, "nonce": "n", "deadline_s": 60, "probes": [
        {"id": f"p{number}", "probe": "model_registry", "subject": "bot", "deadline_s": 60, "digest": "", "controls": [],
         "ask": {"base": str(world.base), "scope": m.SCOPE, **more}} for number, more in enumerate((
             {"hash_models": True}, {"scratch": {"profile": m.PROFILE, "bot_schema": m.BOT_SCHEMA, "approvers": 2}}))]}
    done = subprocess.run([oldest_python(), "-ISE", "-"], input=bundle.script(plan, {}), capture_output=True, check=False)
    line = next((one for one in done.stdout.decode().splitlines() if one.startswith("--golive n ")), "")
    answers = json.loads(line.removeprefix("--golive n ") or "[]")
    assert [one.get("undecided") for one in answers] == [None, None], done.stderr.decode()[-500:]
    assert answers[0]["facts"]["models_ok"] is True
    assert answers[1]["facts"]["scratch.bad_refused_count"] == 4
