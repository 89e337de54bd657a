"""Every control of the registry, on a real host: green in a good world, red by each of its breaks and by nothing else, green again.

All breaks are tried in one chain (tests/faults/harness/trial.py): each time every control is observed, and exactly the declared ones must
have turned.
"""
from __future__ import annotations

import pytest

from tests.faults.harness import trial
from tests.integration.model_registry import live_bot, record
from tests.integration.model_registry.breaks import BREAKS
from tests.integration.model_registry.conftest import CRYPTO, SWING, Host
from tests.integration.model_registry.world import ELSEWHERE, ModelHost, controls

pytestmark = [pytest.mark.lab, pytest.mark.timeout(3600)]
HERE = sorted(set(controls()) - ELSEWHERE)


@pytest.fixture(scope="module")
def world(registry: Host, approved: object) -> ModelHost:
    """The host with a bot that trades by the model in force."""
    live_bot.install(registry)
    return ModelHost(registry)


@pytest.fixture(scope="module")
def outcomes(world: ModelHost) -> dict[str, trial.Outcome]:
    """Every break tried once."""
    named = [(name, 0, fault) for name, fault in BREAKS.items()]
    found = {one.fault: one for one in trial.chain(world, named, "model", full=True)}
    record.write(found)
    return found


@pytest.fixture(scope="module")
def good(world: ModelHost) -> dict[str, tuple[str, str]]:
    return world.look(HERE)


@pytest.mark.parametrize("name", HERE)
def test_in_a_good_world_it_is_green(good: dict[str, tuple[str, str]], name: str) -> None:
    assert good[name][0] == "pass", f"{name}: {good[name][1]}"


@pytest.mark.parametrize("fault", sorted(BREAKS))
def test_its_break_turns_it_red_and_nothing_else_and_healing_green(outcomes: dict[str, trial.Outcome], fault: str) -> None:
    assert outcomes[fault].proven, outcomes[fault].problem or "not seen green after healing"


def test_a_user_who_can_do_nothing_does_not_look_isolated(world: ModelHost) -> None:
    world.on(f"chmod 0700 {CRYPTO}")
    try:
        verdict, reason = world.observe(["model.writable_by_owner_only"])["model.writable_by_owner_only"]
        assert verdict == "fail"
        assert "control_ok" in reason
    finally:
        world.on(f"chmod 0710 {CRYPTO}")


def test_a_root_that_was_open_for_a_moment_is_undecided_until_the_bot_is_started_again(world: ModelHost) -> None:
    name = "isolation.closed_since_start"
    mode = world.on(f"stat -c %a {SWING}").strip()
    world.on(f"chmod 0755 {SWING} && chmod {mode} {SWING}")
    try:
        verdict, reason = world.observe([name])[name]
        assert verdict == "undecided"
        assert "whether it was open in between cannot be told" in reason
        assert world.observe(["isolation.no_swing_access"])["isolation.no_swing_access"][0] == "pass", "it is closed now"
    finally:
        live_bot.restart(world.host)
    assert world.observe([name])[name][0] == "pass"


def test_looking_changes_nothing(world: ModelHost) -> None:
    listing = f"find {CRYPTO} -printf '%p %m %u %g %s %T@\\n' | sort; ls -a /dev/shm /tmp /opt/bot_code"
    before = world.on(listing)
    world.observe(HERE)
    assert world.on(listing) == before
