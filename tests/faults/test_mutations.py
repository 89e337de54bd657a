"""The campaign of changes on the hosts is itself proven: a number is always the same change, a batch can be told apart."""
from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from .journeys import predicted
from .mutate import drifting, hosts, surroundings
from .mutate.drifting import Seen
from .mutate.hosts import Ground, Mutation

GROUND = Ground({
    "bot": ["file:/etc/golive/a.json", "file:/etc/chrony/golive.conf", "dir:/var/lib/bot", "unit:bot-wire.service", "user:bot",
            "keys:golive-kill", "package:chrony", "release:/opt/bot/releases/aa", "link:/opt/bot/current",
            "trust:/usr/local/share/ca-certificates/golive-lab.crt"],
    "vault": ["file:/etc/vault.d/vault.hcl", "vault_policy:system-controller", "unit:vault.service", "unit:chrony.service"],
    "controller": ["evidence:ci/all"]}, "192.0.2.12", ("shadow", "wire"))


def change(number: int, host: str = "bot", path: str = "/etc/golive/a.json", controls: tuple[str, ...] = ()) -> Mutation:
    return Mutation(number, host, "file content", path, "true", "true", ((f"file:{path}", ()),), controls, (path,))


def seen(*objects: tuple[str, str, str], red: tuple[str, ...] = ()) -> Seen:
    return Seen(set(objects), {(one, "bot"): "fail: x" for one in red}, "r", 0.0)


def test_a_number_is_always_the_same_change_and_another_seed_another_one() -> None:
    many = [surroundings.mutation("s", number, GROUND) for number in range(200)]
    again = [surroundings.mutation("s", number, GROUND) for number in range(200)]
    assert [(one.host, one.what, one.family) for one in many] == [(one.host, one.what, one.family) for one in again]
    other = [surroundings.mutation("t", number, GROUND) for number in range(200)]
    assert [one.what for one in many] != [one.what for one in other]


def test_every_kind_of_change_is_drawn_and_names_what_has_to_be_named() -> None:
    many = [surroundings.mutation("s", number, GROUND) for number in range(900)]
    assert len({one.family for one in many}) >= 28
    assert all(one.objects or one.controls for one in many)
    assert all(one.touches for one in many)


def test_nothing_that_would_blind_the_observer_is_changed() -> None:
    for path in ("/etc/ssh/sshd_config.d/x.conf", "/etc/golive/firewall.nft", "/run/x"):
        assert not hosts._safe(path)
    assert hosts._safe("/etc/golive/a.json")


def test_a_batch_holds_only_what_can_be_told_apart_and_all_are_in_one() -> None:
    many = [surroundings.mutation("s", number, GROUND) for number in range(120)]
    packed = list(drifting.batches(many, 30))
    assert sorted(one.number for batch in packed for one in batch) == list(range(120))
    for batch in packed:
        assert len(batch) <= 30
        assert not any(one.collides(other) for one in batch for other in batch if one is not other)


@pytest.mark.parametrize(("one", "other", "same"), [
    (change(1), change(2), True), (change(1), change(2, "vault"), False), (change(1), change(2, path="/etc/golive/b.json"), False),
    (change(1, path="/opt/x"), change(2, path="/opt/x/y"), True), (change(1, path="/opt/x"), change(2, path="/opt/xy"), False),
    (change(1, controls=("a.b",)), change(2, "bot", "/x", ("a.b",)), True),
    (change(1, controls=("a.b",)), change(2, "vault", "/x", ("a.b",)), False),      # red on another host is another red
])
def test_what_touches_the_same_thing_or_would_be_named_by_the_same_control_collides(one: Mutation, other: Mutation, same: bool) -> None:
    assert one.collides(other) is same
    assert other.collides(one) is same


def test_only_its_own_object_on_its_own_host_or_its_own_control_names_a_change() -> None:
    one = change(1, controls=("a.b",))
    assert drifting.matches(one, seen(("bot", "file:/etc/golive/a.json", "update"))) == ["update file:/etc/golive/a.json"]
    assert drifting.matches(one, seen(("vault", "file:/etc/golive/a.json", "update"))) == []
    assert drifting.matches(one, seen(("bot", "file:/etc/golive/b.json", "update"), red=("c.d",))) == []
    assert drifting.matches(one, seen(red=("a.b",))) == ["a.b on bot"]
    assert drifting.matches(change(1, "vault", controls=("a.b",)), seen(red=("a.b",))) == []
    assert drifting.matches(one, seen(("bot", "problem:/etc/golive/a.json is a link", "blocked")))


def test_an_operation_that_another_change_causes_does_not_name_this_one() -> None:
    stopped = Mutation(1, "bot", "unit stopped", "x", "true", "true", (("unit:x.service", ("start",)),), (), ("unit:x.service",))
    assert drifting.matches(stopped, seen(("bot", "unit:x.service", "restart"))) == []
    assert drifting.matches(stopped, seen(("bot", "unit:x.service", "start"))) == ["start unit:x.service"]


def test_a_drifted_start_state_has_the_size_it_was_asked_for() -> None:
    made = predicted.drawn("s", 0, 5, GROUND)
    assert len(made) == 5
    assert [one.what for one in made] == [one.what for one in predicted.drawn("s", 0, 5, GROUND)]


def test_what_a_mutation_starts_is_awaited_and_named_by_its_path() -> None:
    """Number 57 of the first campaign started nothing (`exec -a` is no word of dash), and counted as a process that nobody saw."""
    live = Ground({**GROUND.objects}, GROUND.venue, (*GROUND.instances, "live"))
    started = [one for number in range(900) if isinstance((one := surroundings.mutation("s", number, live)).do, str)
               and "systemd-run" in one.do]
    assert {one.family for one in started} == {"port", "process"}
    assert all("-p Type=exec" in one.do and re.search(r" /(usr/)?bin/[a-z0-9]+ ", one.do) for one in started)


def test_a_second_holder_of_the_key_is_drawn_only_where_there_is_a_live_key() -> None:
    for instances, drawn in ((("shadow", "wire"), False), (("shadow", "wire", "live"), True)):
        many = [surroundings.mutation("s", number, Ground(GROUND.objects, GROUND.venue, instances)) for number in range(900)]
        assert any("live key" in one.what for one in many) is drawn


def test_no_bot_is_stopped_and_no_ledger_broken_while_the_healing_of_a_route_asks_it() -> None:
    """A live bot was stopped by that healing and could not write into its broken ledger that it may trade again: the campaign lost it."""
    many = [surroundings.mutation("s", number, GROUND) for number in range(900)]
    routes = [one for one in many if one.family == "route"]
    asked = [one for one in many if "stopped by a signal" in one.what or one.family == "ledger line"]
    assert routes
    assert {one.family for one in asked} == {"process", "ledger line"}
    assert all(one.collides(other) for one in routes for other in asked)


def test_a_bot_that_does_not_run_is_not_stopped_by_a_signal_to_everybody(tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text("#!/bin/sh\necho 0\n")
    (tmp_path / "systemctl").chmod(0o755)
    many = [surroundings.mutation("s", number, GROUND) for number in range(900)]
    stopped = [str(one.do) for one in many if "stopped by a signal" in one.what]
    assert stopped
    for script in set(stopped):
        done = subprocess.run(["sh", "-ec", script], env={"PATH": f"{tmp_path}:{os.environ['PATH']}"}, timeout=10, check=False)
        assert done.returncode == 1


def test_a_bot_that_stands_still_is_named_by_what_asks_it_and_silence_is_given_the_time_that_the_profile_gives_it() -> None:
    """Number 45: the shadow was stopped for 20 s, and declared to be named by what asks the wire bot. Silence is red after 60 s."""
    live = Ground(GROUND.objects, GROUND.venue, ("shadow", "wire", "live"))
    many = [surroundings.mutation("s", number, live) for number in range(2000)]
    stopped = {one.what.split()[0]: one for one in many if "stopped by a signal" in one.what}
    assert {name: one.controls for name, one in stopped.items()} == surroundings.STANDS_STILL
    assert {name: one.told_after for name, one in stopped.items()} == {"shadow": "bot_decision_max_age_s", "wire": "", "live": ""}
    assert all(stopped["shadow"].collides(one) for one in many if one is not stopped["shadow"])


def test_the_look_is_as_patient_as_a_change_needs_and_no_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(drifting.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(drifting.time, "sleep", lambda _s: clock.__setitem__(0, clock[0] + 1))

    class World:
        def __init__(self, red_at: float) -> None:
            self.red_at, self.profile = red_at, {"limit_s": 60}

        def observe(self, names: set[str]) -> dict[str, tuple[str, str]]:
            return dict.fromkeys(names, ("fail" if clock[0] >= self.red_at else "pass", "x"))

    def seen_at(red_at: float, told_after: str) -> float | None:
        clock[0] = 0.0
        one = Mutation(1, "bot", "process", "x", "true", "true", (), ("a.b",), ("x",), by_plan=True, told_after=told_after)
        found = drifting.Campaign(World(red_at))._look([one])     # type: ignore[arg-type]
        return found.took_s if found.red else None

    assert seen_at(61, "limit_s") == 61
    assert seen_at(61, "") is None
    assert seen_at(3, "limit_s") == 3
    assert seen_at(90, "limit_s") is None


def test_each_kill_machine_is_given_its_own_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers 30, 62 and 133 asked the store for a key that no machine holds any more, and counted as not made."""
    given: list[str] = []
    monkeypatch.setattr(surroundings, "mint", lambda *_: {})
    monkeypatch.setattr(surroundings, "deliver", lambda _world, name, _key: given.append(name))
    changes = [one for number in range(900) if (one := surroundings.mutation("s", number, GROUND)).family == "key rights"]
    for one in changes:
        assert callable(one.do)
        one.do(None)     # type: ignore[arg-type]
    assert given == [f"kill_{one.host}" for one in changes]
    assert set(given) == {"kill_guard", "kill_outside"}


@pytest.mark.parametrize("path", ["/etc/systemd/system/x.service", "/etc/systemd/system/x.service.d/50-golive-loaded.conf",
                                  "/usr/local/lib/systemd/system/x.service"])
def test_no_unit_is_changed_while_its_definition_is(path: str) -> None:
    """Number 81: systemctl could not speak of a unit whose definition was a directory just then."""
    others = [one for one in GROUND.objects["bot"] if not one.startswith("unit:")]
    ground = Ground({**GROUND.objects, "bot": ["unit:x.service", *others]}, GROUND.venue, ("wire",))
    units = [one for number in range(900) if (one := surroundings.mutation("s", number, ground)).touches[0] == "unit:x.service"]
    assert units
    assert all(one.collides(change(1, path=path)) for one in units)


@pytest.mark.parametrize(("outcome", "beside", "numbers", "there"), [
    ("named", 9, 3, True), ("survived", 0, 3, True), ("not made", 9, 3, True),
    ("survived", 9, 3, False),      # nobody looked at it alone
    ("named", 9, 4, False),         # one number was never judged
    ("named", 9, 0, False)])
def test_a_campaign_is_whole_when_every_number_was_judged_and_every_survivor_was_looked_at_alone(
        outcome: str, beside: int, numbers: int, there: bool) -> None:
    rows = [{"number": number, "outcome": "named", "beside": 5} for number in range(2)]
    assert drifting.whole([*rows, {"number": 2, "outcome": outcome, "beside": beside}], numbers) is there


def test_the_campaign_stops_when_the_live_bot_came_to_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven changes counted as not made because the bot of which they speak had been stopped behind the campaign's back."""
    class World:
        said = "active"

        def on(self, _host: str, _script: str) -> str:
            return self.said

    world = World()
    campaign = drifting.Campaign(world, ("wire", "live"))     # type: ignore[arg-type]
    campaign._still_live()
    world.said = "inactive"
    drifting.Campaign(world, ("wire",))._still_live()     # type: ignore[arg-type]
    with pytest.raises(drifting.NotLive):
        campaign._still_live()


def test_bots_that_a_change_sent_back_to_paper_trade_again_behind_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a whole campaign the wire bot stood on paper, for a batch had stopped the venue, and no journey came to its end."""
    done: list[str] = []

    class World:
        def on(self, _host: str, script: str) -> str:
            done.append(script)
            return ""

    monkeypatch.setattr(drifting, "release", lambda _world, *instances: done.append(f"release {instances}"))
    campaign = drifting.Campaign(World(), ("wire", "live"))     # type: ignore[arg-type]
    campaign._undo([change(1)])
    assert done == ["true", "release ('wire', 'live')"]
    monkeypatch.setattr(drifting, "release", lambda *_: (_ for _ in ()).throw(RuntimeError("no answer")))
    campaign._undo([change(1)])     # told, and the next batch is judged


def test_a_release_that_no_host_runs_any_more_is_no_ground(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The store's program was built anew between two journeys: three changes of the one before counted as not seen."""
    class World:
        addresses = {"venue": "192.0.2.12"}     # noqa: RUF012 (a stand-in)

        def on(self, host: str, script: str) -> str:
            return {"vault": "/opt/vault/releases/b\n", "bot": "/opt/bot/releases/c\n"}[host] if "readlink" in script else ""

    made = [("vault", "release:/opt/vault/releases/a"), ("vault", "release:/opt/vault/releases/b"), ("bot", "release:/opt/bot/releases/c"),
            ("bot", "file:/etc/x"), ("outside", "file:/etc/y")]
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "changes.jsonl").write_text("".join(
        json.dumps({"host": host, "object": name, "op": "create", "check": False}) + "\n" for host, name in made))
    monkeypatch.setattr(drifting, "reports_of", lambda _system: tmp_path)
    found = drifting.ground(World())     # type: ignore[arg-type]
    assert found.objects == {"vault": ["release:/opt/vault/releases/b"], "bot": ["file:/etc/x", "release:/opt/bot/releases/c"],
                             "outside": ["file:/etc/y"]}
