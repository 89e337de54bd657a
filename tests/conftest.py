"""What holds for every test: hypothesis judges results, never the speed of a loaded machine, and long lab suites come in slices.

`make test` runs two of the long lab suites, other ones each day; `make prove` (or `--full`) runs them all. A file that is named on the
command line always runs.
"""
from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("golive", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("golive")

INTEGRATION = Path(__file__).parent / "integration"
# Each takes minutes, on hosts of its own or of real servers. The lab itself and the journey are not here: they run always.
SLICED = sorted(str(INTEGRATION / name) for name in (
    "arming/test_arm_action.py", "arming/test_ticket_drill.py", "arming/test_unit.py", "bad_input/test_controller_disk.py",
    "bad_input/test_target.py", "bot/test_key_check.py", "bot/test_role.py", "guard/test_role.py",
    "kill_switch/test_dying.py", "kill_switch/test_faults_on_hosts.py", "leaks/test_canaries.py",
    "model_registry/test_controls.py", "model_registry/test_isolation.py", "model_registry/test_promotion.py",
    "model_registry/test_playbooks.py", "rehearsal/test_downtime_drill.py",
    "rehearsal/test_kill_drills.py", "rehearsal/test_wire_drills.py",
    "sets/test_backup.py", "sets/test_four_runs.py", "sets/test_lockout.py", "sets/test_log_rotation.py", "sets/test_restart.py",
    "sets/test_secrets.py",
    "store/test_agent.py", "store/test_auto_unseal.py", "store/test_cluster.py", "store/test_cluster_hosts.py", "store/test_operate.py",
    "store/test_restore_host.py", "store/test_restoring.py", "store/test_trouble.py"))
SLICE = 2
# They share their hosts with the journey, which another worker may be running: never beside it, so only with all.
FULL_ONLY = {str(INTEGRATION / f"journey/{name}.py") for name in ("test_keeping_secrets", "test_ramp", "test_saved_plan")}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--full", action="store_true", help="run every long lab suite instead of today's slice")
    # An option, because xdist hands those to its workers: around midnight they would not agree on the day.
    parser.addoption("--slice-day", default=datetime.now(UTC).strftime("%Y%m%d"), help="the day whose slice runs (YYYYMMDD)")


def todays_slice(config: pytest.Config) -> list[str]:
    """Return the suites of the day, no two with the same hosts: each worker would take them for its own, and make them bare."""
    found: dict[str, str] = {}
    for name in random.Random(config.getoption("--slice-day")).sample(SLICED, len(SLICED)):
        if len(found) < SLICE:
            found.setdefault(hosts_of(name), name)
    return list(found.values())


def hosts_of(name: str) -> str:
    """Return what stands for the hosts of a suite: its folder, but for one that uses another's."""
    folder = Path(name).parent.name
    return "bad_input" if name.endswith("bot/test_key_check.py") else folder


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    # An archive holds the time at which it was made: named by its bytes, a test would have another name in each worker.
    return argname if isinstance(val, bytes) and len(val) > 16 else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The journey takes longest: it begins first (with --no-loadscope-reorder), beside all the others.
    items.sort(key=lambda item: item.path.parent != INTEGRATION / "journey")
    if config.getoption("--full") or config.getoption("file_or_dir"):
        return
    left_out = FULL_ONLY | (set(SLICED) - set(todays_slice(config)))
    config.hook.pytest_deselected(items=[item for item in items if str(item.path) in left_out])
    items[:] = [item for item in items if str(item.path) not in left_out]


def pytest_report_header(config: pytest.Config) -> str | None:
    if config.getoption("--full") or config.getoption("file_or_dir"):
        return None
    return "long lab suites of today: " + ", ".join(Path(name).relative_to(INTEGRATION).as_posix() for name in todays_slice(config))
