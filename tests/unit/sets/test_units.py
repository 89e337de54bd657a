"""Units: a restart that is due is never lost, whoever started the process and wherever a run was killed."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from golive.errors import GoliveError
from golive.sets.core import Change, Decision, carry_out
from golive.sets.drop_ins import foreign
from golive.sets.loaded import PLACE, Loaded, drop_in_path
from golive.sets.system import Completed, System
from golive.sets.units import Units
from hypothesis import given
from hypothesis import strategies as st

CONF = "/etc/bot.json"
UNIT = "bot.service"
WANTED = [{"name": UNIT, "state": "started", "enabled": "true", "restart_when": {"digest_of": [CONF]}}]


class Systemd(System):
    """One service on a systemd that reads definitions only when told, and runs the drop-in at each start as the real one does."""

    def __init__(self, root: str, there: bool = True) -> None:
        super().__init__(root)
        for place in ("/run", "/etc/systemd/system"):
            os.makedirs(self.path(place), exist_ok=True)
        self.there, self.active, self.file, self.invocation = there, "inactive", "disabled", 0
        self.loaded_definition: str | None = None
        self.process: tuple[str, str] | None = None  # what the running process really has: configuration, definition
        self.calls: list[list[str]] = []
        self.write(CONF, "1")

    def write(self, path: str, text: str) -> None:
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        Path(self.path(path)).write_text(text)

    def definition(self) -> str:
        own = self.read("/etc/systemd/system/bot.service.d/10-golive.conf") or ""
        others = [self.read(path) or "" for path in foreign(self, UNIT)]
        return "|".join([own, self.read(drop_in_path(UNIT)) or "", *others])

    def start(self) -> None:
        """Any start: ours, a reboot's, Restart='s, a person's."""
        if self.loaded_definition is None:
            self.loaded_definition = self.definition()
        self.invocation += 1
        self.active = "active"
        if "ExecStartPre" in self.loaded_definition:
            self._run_drop_in()
        self.process = (self.read(CONF) or "", self.loaded_definition)

    def _run_drop_in(self) -> None:
        line = next(line for line in (self.read(drop_in_path(UNIT)) or "").splitlines() if line.startswith("ExecStartPre="))
        script = line.split(" -c ", 1)[1][1:-1].replace('\\"', '"').replace("$$", "$").replace("%%", "%")
        for place in ("/run/golive/units", "/etc/bot", "/etc/systemd"):
            script = script.replace(place, self.path(place))
        subprocess.run(["/bin/sh", "-c", script], env={"PATH": os.environ["PATH"], "INVOCATION_ID": f"i{self.invocation}"}, check=True)
        record = Path(self.path(f"{PLACE}/{UNIT}.loaded"))
        record.write_text(record.read_text().replace(self.root, ""))

    def run(self, argv: Sequence[str], *_: object, **__: object) -> Completed:
        self.calls.append(list(argv))
        words = [word for word in argv[1:] if not word.startswith("-")]
        if words[0] == "show":
            old = self.loaded_definition is not None and self.loaded_definition != self.definition()
            row = {
                "LoadState": "loaded" if self.there else "not-found",
                "ActiveState": self.active,
                "SubState": "x",
                "Result": "success",
                "UnitFileState": self.file if self.there else "",
                "NeedDaemonReload": "yes" if old else "no",
                "InvocationID": f"i{self.invocation}",
            }
            return Completed(0, "\n\n".join("\n".join(f"{key}={value}" for key, value in row.items()) for _ in words[1:]) + "\n", "")
        if words[0] == "daemon-reload":
            self.loaded_definition = self.definition()
        elif words[0] in ("start", "restart"):
            self.start()
        elif words[0] == "stop":
            self.active, self.process = "inactive", None
        elif words[0] in ("enable", "disable", "mask"):
            self.file = {"enable": "enabled", "disable": "disabled", "mask": "masked"}[words[0]]
        elif words[0] == "unmask":
            self.file = "disabled"
        return Completed(0, "", "")


class CutOff(Units):
    """Dies before the change of that number is carried out."""

    after = 0

    def act(self, decision: Decision) -> Iterator[Change]:
        step = super().act(decision)
        self._prepared = False
        for number, change in enumerate(decision.changes):
            if number >= self.after:
                raise GoliveError("killed")
            yield next(step, change)


def done(host: System, wanted: Sequence[Any] = WANTED, dry: bool = False, predicted: Sequence[Any] = ()) -> dict[str, Any]:
    return carry_out(Units(host, wanted, dry, predicted), dry)


def names(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(change["object"], change["op"]) for change in result["changes"]]


EVENTS = st.lists(st.sampled_from(["configure", "redefine", "foreign", "foreign_for_this_boot", "crash_and_restart", "reboot", "cut0",
                                   "cut1", "cut2", "run"]), max_size=8)


@given(events=EVENTS)
def test_after_any_history_a_run_leaves_a_process_that_has_what_is_on_disk(
    tmp_path_factory: pytest.TempPathFactory, events: list[str]
) -> None:
    host = Systemd(str(tmp_path_factory.mktemp("host")))
    for number, event in enumerate(events):
        if event == "configure":
            host.write(CONF, f"configuration {number}")
        elif event == "redefine":
            host.write("/etc/systemd/system/bot.service.d/10-golive.conf", f"definition {number}")
        elif event.startswith("foreign"):
            place = "/run/systemd/system" if event.endswith("boot") else "/etc/systemd/system"
            host.write(f"{place}/bot.service.d/override.conf", f"by hand {number}")
        elif event == "crash_and_restart" and host.active == "active":
            host.start()
        elif event == "reboot":
            for name in os.listdir(host.path("/run")):
                subprocess.run(["rm", "-rf", host.path("/run/" + name)], check=True)
            host.loaded_definition, host.process, host.active = None, None, "inactive"
            if host.file == "enabled":
                host.start()
        elif event.startswith("cut"):
            run = CutOff(host, WANTED, dry=False)
            run.after = int(event[3:])
            carry_out(run, dry=False)
        elif event == "run":
            assert "failed" not in done(host)
    predicted = done(host, dry=True)
    real = done(host)
    assert "failed" not in real
    assert names(real) == names(predicted)
    assert host.process == (host.read(CONF), host.definition())
    assert foreign(host, UNIT) == []
    assert done(host)["changes"] == []


def test_a_restart_by_somebody_else_with_the_new_file_needs_no_other(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    host.write(CONF, "2")
    host.start()
    assert done(host)["changes"] == []


def test_a_unit_that_is_not_there_yet_is_predicted_and_then_an_error(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path), there=False)
    assert names(done(host, dry=True))[1:] == [("unit:bot.service", "enable"), ("unit:bot.service", "start")]


def test_a_dry_run_sees_the_restart_that_follows_from_a_predicted_file(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    facts = {"before": "0644 root:root sha256:" + "a" * 64, "after": "0644 root:root sha256:" + "b" * 64}
    assert names(done(host, dry=True, predicted=[{"object": f"file:{CONF}", "op": "update", **facts}])) == [("unit:bot.service", "restart")]


def test_a_predicted_change_of_mode_alone_restarts_nothing(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    facts = {"before": "0600 root:root sha256:" + "a" * 64, "after": "0644 root:root sha256:" + "a" * 64}
    assert done(host, dry=True, predicted=[{"object": f"file:{CONF}", "op": "update", **facts}])["changes"] == []


def test_a_switched_link_above_a_watched_file_is_a_restart(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    wanted = [dict(WANTED[0], restart_when={"digest_of": ["/etc/bot/current/release.json"]})]
    done(host, wanted)
    host.write("/etc/bot/b/release.json", "b")
    predicted = [{"object": "link:/etc/bot/current", "op": "update", "before": "-> a", "after": "-> b"}]
    assert names(done(host, wanted, dry=True, predicted=predicted)) == [("unit:bot.service", "restart")]


def test_a_dry_run_tells_systemd_nothing(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    host.write("/etc/systemd/system/bot.service.d/10-golive.conf", "new")
    host.calls.clear()
    assert names(done(host, dry=True)) == [("unit:bot.service", "restart")]
    assert {call[1] for call in host.calls} == {"show"}


def test_a_stopped_unit_gets_its_new_definition_without_being_started(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    wanted = [{"name": UNIT, "enabled": "true"}]
    done(host)
    host.active, host.process = "inactive", None
    host.write("/etc/systemd/system/bot.service.d/10-golive.conf", "new")
    assert done(host, wanted)["changes"] == []
    assert host.loaded_definition == host.definition()
    assert host.active == "inactive"


def test_masked_stopped_and_back(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    assert names(done(host, [{"name": UNIT, "state": "stopped", "enabled": "masked"}])) == [
        ("unit:bot.service", "stop"),
        ("unit:bot.service", "mask"),
    ]
    assert [op for _, op in names(done(host))] == ["unmask", "enable", "start"]


OWN = f"/usr/local/lib/systemd/system/{UNIT}"
EMPTY, WHOLE = ("0644 root:root sha256:" + letter * 64 for letter in "ea")
BACK = {"object": f"file:{OWN}", "op": "update", "before": EMPTY, "after": WHOLE}


class Broken(Systemd):
    """A unit whose definition somebody emptied, deleted or masked, as systemd shows it (257): seen on a host."""

    def __init__(self, root: str, load: str, fragment: str, linked: bool) -> None:
        super().__init__(root)
        self.load, self.fragment = load, fragment
        if linked:
            wants = Path(self.path("/etc/systemd/system/multi-user.target.wants"))
            wants.mkdir()
            (wants / UNIT).symlink_to(OWN)

    def run(self, argv: Sequence[str], *_: object, **__: object) -> Completed:
        assert argv[1] == "show"
        shown = {"LoadState": self.load, "UnitFileState": "masked" if self.load == "masked" else "", "FragmentPath": self.fragment,
                 "ActiveState": "inactive", "SubState": "dead", "NeedDaemonReload": "no"}
        return Completed(0, "\n".join(f"{key}={value}" for key, value in shown.items()) + "\n", "")


@pytest.mark.parametrize(("load", "fragment", "linked", "predicted", "wanted"), [
    ("masked", OWN, True, [BACK], []),                                                  # emptied: not masked once it is written again
    ("masked", OWN, False, [BACK], ["enable"]),
    ("not-found", "", True, [{**BACK, "op": "create", "before": None}], []),            # deleted: the link that enables it is still there
    ("not-found", "", False, [{**BACK, "op": "create", "before": None}], ["enable"]),
    ("masked", f"/etc/systemd/system/{UNIT}", True, [BACK], ["unmask", "enable"]),      # masked by its link, whatever the definition below
    ("masked", OWN, True, [], ["unmask", "enable"]),                                    # nobody writes it again
    ("masked", OWN, True, [{**BACK, "after": EMPTY}], ["unmask", "enable"]),
])
def test_a_dry_run_foresees_how_a_unit_is_enabled_once_its_definition_is_back(
        tmp_path: Path, load: str, fragment: str, linked: bool, predicted: list[dict[str, Any]], wanted: list[str]) -> None:
    host = Broken(str(tmp_path), load, fragment, linked)
    result = done(host, [{"name": UNIT, "enabled": "true"}], True, predicted)
    assert [op for _, op in names(result)] == wanted


@pytest.mark.parametrize(
    ("unit", "sentence"),
    [
        ({"name": "bot"}, "is not a whole unit name"),
        ({"name": "x.timer", "restart_when": {"digest_of": ["/x"]}}, "is not a service"),
        ({"name": UNIT, "state": "started", "enabled": "masked"}, "masked and started at once"),
    ],
)
def test_contradictions_are_one_sentence(tmp_path: Path, unit: dict[str, Any], sentence: str) -> None:
    assert sentence in done(Systemd(str(tmp_path)), [unit], dry=True)["msg"]


def test_the_drop_in_survives_the_characters_of_shell_and_systemd(tmp_path: Path) -> None:
    text = Loaded(System(str(tmp_path))).drop_in(UNIT, ["/etc/a b'c$d%e\"f", "/etc/conf.d/*.conf"])
    line = text.splitlines()[-1]
    assert line.startswith("ExecStartPre=-+/bin/sh -c ")
    assert "/etc/conf.d/*.conf" in line
    assert "$$INVOCATION_ID" in line


def test_a_start_that_was_not_recorded_is_not_taken_for_a_current_one(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    host.invocation += 1  # somebody started it while the note could not be written
    assert done(host, dry=True)["changes"][0]["before"] == "its start is not recorded"


def test_a_drop_in_of_somebody_else_goes_away_and_the_unit_with_what_it_loaded(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    plain = [{"name": UNIT, "state": "started", "enabled": "true"}]  # no restart_when: nothing but the drop-in itself tells
    done(host, plain)
    host.write("/run/systemd/system.control/bot.service.d/50-MemoryMax.conf", "more")
    host.run(["systemctl", "daemon-reload"])
    wanted = [("file:/run/systemd/system.control/bot.service.d/50-MemoryMax.conf", "delete"), ("unit:bot.service", "restart")]
    assert names(done(host, plain, dry=True)) == wanted
    assert names(done(host, plain)) == wanted
    assert done(host, plain)["changes"] == []


def test_a_drop_in_that_was_named_stays(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    host.write("/etc/systemd/system/bot.service.d/vendor-tuning.conf", "more")
    wanted = [{**WANTED[0], "keep_drop_ins": ["vendor-*.conf"]}]
    assert ("file:/etc/systemd/system/bot.service.d/vendor-tuning.conf", "delete") not in names(done(host, wanted))
    assert host.read("/etc/systemd/system/bot.service.d/vendor-tuning.conf") == "more"


@pytest.mark.parametrize("spoil", [lambda path: os.chmod(path, 0o664), lambda path: os.chown(path, -1, 60),
                                   lambda path: (os.rename(path, path + ".moved"), os.symlink(path + ".moved", path))])
def test_a_drop_in_of_ours_that_others_may_write_is_written_anew_without_a_restart(tmp_path: Path, spoil: Any) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    path = host.path(drop_in_path(UNIT))
    try:
        spoil(path)
    except PermissionError:
        pytest.skip("only root gives files away")
    assert names(done(host)) == [(f"file:{drop_in_path(UNIT)}", "update")]
    assert done(host)["changes"] == []
    assert not os.path.islink(path)


def test_a_unit_that_is_enabled_for_this_boot_alone_is_not_enabled(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    host.file = "enabled-runtime"
    assert names(done(host)) == [("unit:bot.service", "enable")]
    host.file = "enabled-runtime"
    assert names(done(host, [{"name": UNIT, "state": "started", "enabled": "false"}])) == [("unit:bot.service", "disable")]


def _reverted(tmp_path: Path, before: str, after: str) -> tuple[Systemd, list[dict[str, Any]]]:
    """A host whose watched file was changed behind the running process, and what a dry run predicts for that file."""
    host = Systemd(str(tmp_path))
    done(host)
    host.write(CONF, "changed by hand")
    return host, [{"object": f"file:{CONF}", "op": "update", "before": f"0644 root:root {before}", "after": f"0644 root:root {after}"}]


def sha(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_a_file_that_goes_back_to_what_the_process_loaded_restarts_nothing(tmp_path: Path) -> None:
    host, predicted = _reverted(tmp_path, sha("changed by hand"), sha("1"))
    assert done(host, dry=True, predicted=predicted)["changes"] == []
    host.write(CONF, "1")
    assert done(host)["changes"] == []


def test_a_file_that_will_be_what_the_process_did_not_load_is_a_restart(tmp_path: Path) -> None:
    host, predicted = _reverted(tmp_path, sha("changed by hand"), sha("2"))
    assert names(done(host, dry=True, predicted=predicted)) == [("unit:bot.service", "restart")]


def test_a_deleted_file_that_comes_back_as_it_was_loaded_restarts_nothing(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    os.unlink(host.path(CONF))
    back = {"object": f"file:{CONF}", "op": "create", "before": None, "after": "0644 root:root " + sha("1")}
    assert done(host, dry=True, predicted=[back])["changes"] == []
    assert names(done(host, dry=True)) == [("unit:bot.service", "restart")]


@pytest.mark.parametrize(("words", "restarts"), [
    ("0600 root:root secret, as bot.service loaded it", False), ("0600 root:root secret, as other.service loaded it", True),
    ("0600 root:root secret", True), ("sealed", True)])
def test_of_a_secret_only_who_loaded_it_is_known(tmp_path: Path, words: str, restarts: bool) -> None:
    host, _ = _reverted(tmp_path, "", "")
    predicted = [{"object": f"file:{CONF}", "op": "update", "before": "0600 root:root other secret", "after": words}]
    assert bool(done(host, dry=True, predicted=predicted)["changes"]) is restarts


def test_a_definition_that_goes_back_is_a_restart_all_the_same_because_systemd_tells_by_its_time(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    done(host)
    path = "/etc/systemd/system/bot.service.d/10-golive.conf"
    predicted = [{"object": f"file:{path}", "op": "create", "after": "0644 root:root " + sha("one")}]
    assert names(done(host, dry=True, predicted=predicted)) == [("unit:bot.service", "restart")]


def test_a_file_more_below_a_watched_pattern_that_will_be_gone_restarts_nothing(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    wanted = [dict(WANTED[0], restart_when={"digest_of": ["/etc/bot/*.py"]})]
    host.write("/etc/bot/one.py", "1")
    done(host, wanted)
    host.write("/etc/bot/two.py", "2")
    assert names(done(host, wanted, dry=True)) == [("unit:bot.service", "restart")]
    assert done(host, wanted, dry=True, predicted=[{"object": "file:/etc/bot/two.py", "op": "delete"}])["changes"] == []
    new = {"object": "file:/etc/bot/below/three.py", "op": "create", "after": "0644 root:root " + sha("3")}
    gone = {"object": "file:/etc/bot/two.py", "op": "delete"}
    assert done(host, wanted, dry=True, predicted=[gone, new])["changes"] == []      # `*` does not mean what lies deeper


def test_a_link_that_goes_back_to_what_was_loaded_restarts_nothing(tmp_path: Path) -> None:
    host = Systemd(str(tmp_path))
    wanted = [dict(WANTED[0], restart_when={"digest_of": ["/etc/bot/current/release.json"]})]
    host.write("/etc/bot/releases/a/release.json", "a")
    host.write("/etc/bot/releases/b/release.json", "b")
    os.symlink("releases/a", host.path("/etc/bot/current"))
    done(host, wanted)
    os.unlink(host.path("/etc/bot/current"))
    os.symlink("/tmp", host.path("/etc/bot/current"))
    for target, restarts in (("releases/a", False), ("/etc/bot/releases/a", False), ("releases/b", True), ("releases/c", True)):
        predicted = [{"object": "link:/etc/bot/current", "op": "update", "before": "-> /tmp", "after": f"-> {target}"}]
        assert bool(done(host, wanted, dry=True, predicted=predicted)["changes"]) is restarts, target
    predicted.insert(0, {"object": "release:/etc/bot/releases/a", "op": "update", "before": "x", "after": "y"})
    predicted[1]["after"] = "-> releases/a"
    assert done(host, wanted, dry=True, predicted=predicted)["changes"]
