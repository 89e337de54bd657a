"""Packages: apt's own simulation is believed, whole and only for the question; a cut-off installation is finished quietly."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest
from golive.sets.apt import parse_simulation
from golive.sets.core import carry_out
from golive.sets.dependencies import STATUS as STATUS_PATH
from golive.sets.dependencies import lacking
from golive.sets.packages import Packages, differing
from golive.sets.quiet_install import MARK, PENDING, POLICY
from golive.sets.system import Completed, System
from hypothesis import given
from hypothesis import strategies as st

DEPENDS = {"chrony": ["libcap"], "nftables": ["libnft"], "libcap": [], "libnft": [], "ntp": []}
CONFLICTS = {"chrony": "ntp"}
ENABLES = {"chrony": "chrony.service"}


class Debian(System):
    """A host with a tiny apt: five packages, dependencies, one conflict; chrony enables its service by itself."""

    def __init__(self, root: str, installed: Sequence[str] = (), known: bool = True) -> None:
        super().__init__(root)
        self.installed, self.known, self.log = set(installed), known, []
        self.broken = False
        os.makedirs(self.path("/usr/sbin"), exist_ok=True)
        os.makedirs(self.path("/etc/systemd/system/multi-user.target.wants"), exist_ok=True)

    def run(self, argv: Sequence[str], *_: object, **__: object) -> Completed:
        self.log.append(list(argv))
        if argv[0] == "dpkg-query" and argv[1] == "-L":
            return Completed(0, "/usr/lib/systemd/system/%s\n" % ENABLES.get(argv[2], "x"), "")
        if argv[0] == "dpkg-query":
            return Completed(0, "".join(f"{name}\tii \t1\n" for name in argv[4:] if name in self.installed), "")
        if argv[0] == "systemctl":
            for unit in argv[3:]:
                os.unlink(self.path(f"/etc/systemd/system/multi-user.target.wants/{unit}"))
            return Completed(0, "", "")
        if argv[0] == "dpkg":
            return Completed(0, "", "")
        if argv[-1] == "update":
            self.known = True
            return Completed(0, "", "")
        return self._install("-s" in argv, argv[argv.index("install") + 1 :])

    def _install(self, simulate: bool, words: Sequence[str]) -> Completed:
        if not self.known:
            return Completed(100, "", "E: Unable to locate package chrony")
        if self.broken and not simulate:
            return Completed(100, "", "E: Sub-process /usr/bin/dpkg returned an error code (1)")
        adds = [word for word in words if not word.endswith("-")]
        adds = list(dict.fromkeys(name for add in adds for name in [*DEPENDS[add], add] if name not in self.installed))
        goes = {word[:-1] for word in words if word.endswith("-")} | {CONFLICTS[add] for add in adds if add in CONFLICTS}
        goes &= self.installed
        if not simulate:
            assert MARK in (self.read(POLICY) or ""), "services could start"
            self.installed = (self.installed | set(adds)) - goes
            for add in set(adds) & set(ENABLES):
                os.symlink("/x", self.path(f"/etc/systemd/system/multi-user.target.wants/{ENABLES[add]}"))
        return Completed(
            0, "".join(f"Remv {name} [1]\n" for name in sorted(goes)) + "".join(f"Inst {name} (1 Debian)\n" for name in adds), ""
        )


def done(host: Debian, present: Sequence[str] = (), absent: Sequence[str] = (), dry: bool = False) -> dict:
    return carry_out(Packages(host, present, absent, dry), dry)


def names(result: dict) -> list[tuple[str, str]]:
    return [(change["object"], change["op"]) for change in result["changes"]]


@given(installed=st.sets(st.sampled_from(sorted(DEPENDS))), present=st.sets(st.sampled_from(["chrony", "nftables"])), gone=st.booleans())
def test_the_dry_run_names_what_the_real_run_does(
    tmp_path_factory: pytest.TempPathFactory, installed: set[str], present: set[str], gone: bool
) -> None:
    for name in set(installed):
        installed |= set(DEPENDS[name])
    host = Debian(str(tmp_path_factory.mktemp("host")), installed)
    absent = ["ntp"] if gone else []
    predicted = done(host, sorted(present), absent, dry=True)
    assert host.installed == installed
    real = done(host, sorted(present), absent)
    assert real["changes"] == predicted["changes"]
    assert real.get("msg") == predicted.get("msg")
    if "failed" not in real:
        assert done(host, sorted(present), absent)["changes"] == []


def test_a_removal_that_nobody_asked_for_is_refused(tmp_path: Path) -> None:
    assert "apt would also remove ntp 1, which nobody asked for" in done(Debian(str(tmp_path), ["ntp"]), ["chrony"])["msg"]


def test_an_index_that_does_not_know_the_name_is_refreshed_only_for_the_question(tmp_path: Path) -> None:
    host = Debian(str(tmp_path), known=False)
    assert ("package:chrony", "install") in names(done(host, ["chrony"], dry=True))
    update = next(line for line in host.log if line[-1] == "update")
    assert any(word.startswith("Dir::State::Lists=") for word in update)


def test_installing_leaves_nothing_enabled_and_starts_allowed_again(tmp_path: Path) -> None:
    host = Debian(str(tmp_path))
    done(host, ["chrony"])
    assert os.listdir(host.path("/etc/systemd/system/multi-user.target.wants")) == []
    assert host.read(POLICY) is None
    assert host.read(PENDING) is None


def test_the_owners_own_policy_stays(tmp_path: Path) -> None:
    host = Debian(str(tmp_path))
    Path(host.path(POLICY)).write_text(f"#!/bin/sh\n{MARK[:5]} mine\nexit 0\n# {MARK}")
    text = host.read(POLICY)
    Path(host.path(POLICY)).write_text(text.replace(MARK, "mine"))
    host.broken = True
    done(host, ["nftables"])
    assert "mine" in (host.read(POLICY) or "")


def test_a_failed_transaction_is_told_in_apts_words_and_forbids_no_starts_afterwards(tmp_path: Path) -> None:
    host = Debian(str(tmp_path))
    host.broken = True
    assert "E: Sub-process /usr/bin/dpkg returned an error code (1)" in done(host, ["chrony"])["msg"]
    assert host.read(POLICY) is None


def test_a_run_that_was_killed_after_apt_is_finished_by_the_next(tmp_path: Path) -> None:
    host = Debian(str(tmp_path))
    quiet = Packages(host, ["chrony"], [], dry=False)
    guard = quiet.quiet.during(["chrony"])
    guard.__enter__()
    quiet.apt.carry_out(["chrony"], [])  # killed here: the service is enabled, starts are forbidden
    predicted = done(host, ["chrony"], dry=True)
    assert names(predicted) == [("package:chrony", "finish")]
    assert done(host, ["chrony"])["changes"] == predicted["changes"]
    assert host.read(POLICY) is None
    assert os.listdir(host.path("/etc/systemd/system/multi-user.target.wants")) == []


@pytest.mark.parametrize(
    ("present", "absent", "sentence"),
    [
        (["Chrony"], [], "'Chrony' is not a package name"),
        (["a b"], [], "is not a package name"),
        (["-o=x"], [], "is not a package name"),
        ([], ["chrony=1"], "expected a name without version"),
        (["chrony"], ["chrony"], "wanted both present and absent"),
    ],
)
def test_what_cannot_be_a_package_never_reaches_apt(tmp_path: Path, present: list[str], absent: list[str], sentence: str) -> None:
    host = Debian(str(tmp_path))
    assert sentence in done(host, present, absent)["msg"]
    assert host.log == []


def test_the_wanted_version_and_half_installed_packages_differ() -> None:
    versions = {"a": ("ii", "1"), "b": ("iU", "1"), "c": ("rc", "1"), "d": ("hi", "1")}
    assert differing(versions, ["a=2", "b", "d"], ["c"]) == (["a=2", "b"], [])


def test_upgrades_architectures_and_removals_are_read_from_the_simulation() -> None:
    text = "Inst a [1] (2 Debian [amd64])\nInst b:i386 (3 X)\nRemv c [4]\nConf a (2 Debian)\n"
    assert parse_simulation(Completed(0, text, ""))[:2] == ([("a", "1", "2"), ("b", None, "3")], [("c", "4")])


STATUS = """Package: chrony
Status: install ok installed
Depends: libcap (>= 1:2.0), mail-agent | postfix, libc6:any

Package: libcap
Status: {libcap}
Architecture: amd64

Package: libc6
Status: install ok installed

Package: exim
Status: install ok installed
Provides: mail-agent (= 1)
"""


def debian_with(tmp_path: Path, libcap: str, installed: Sequence[str]) -> Debian:
    host = Debian(str(tmp_path), installed)
    os.makedirs(host.path("/var/lib/dpkg"))
    Path(host.path(STATUS_PATH)).write_text(STATUS.format(libcap=libcap))
    return host


def test_a_dependency_that_was_taken_away_is_predicted_and_put_back(tmp_path: Path) -> None:
    host = debian_with(tmp_path, "deinstall ok config-files", ["chrony"])
    assert names(done(host, ["chrony"], dry=True)) == [("package:libcap", "install")]
    assert host.installed == {"chrony"}
    host.installed.add("libcap")
    Path(host.path(STATUS_PATH)).write_text(STATUS.format(libcap="install ok installed"))
    assert done(host, ["chrony"], dry=True)["changes"] == []


def test_dependencies_that_are_there_or_provided_are_not_asked_for(tmp_path: Path) -> None:
    assert lacking(debian_with(tmp_path, "install ok installed", []), ["chrony", "nowhere"]) == []


def test_a_dependency_of_a_dependency_counts_and_one_of_nobody_wanted_does_not(tmp_path: Path) -> None:
    host = debian_with(tmp_path, "install ok installed\nPre-Depends: deep", [])
    assert lacking(host, ["chrony"]) == ["deep"]
    assert lacking(host, ["libc6"]) == []


def test_a_dry_run_asks_a_repository_that_is_to_come_for_the_question_only(tmp_path: Path) -> None:
    seen: list[set[str]] = []

    class Watched(Debian):
        def run(self, argv: Sequence[str], *rest: object, **more: object) -> Completed:
            parts = [word.partition("=")[2] for word in argv if word.startswith("Dir::Etc::SourceParts=")]
            seen.extend({path.read_text() for path in Path(part).iterdir()} for part in parts)
            return super().run(argv, *rest, **more)

    host = Watched(str(tmp_path), known=False)
    own = Path(host.path("/etc/apt/sources.list.d"))
    own.mkdir(parents=True)
    (own / "debian.sources").write_text("the host's own")
    wanted = Packages(host, ["chrony"], [], dry=True)
    wanted.apt.sources = ["the vendor's"]
    assert [change.object for change in wanted.decide(wanted.current()).changes] == ["package:libcap", "package:chrony"]
    assert seen == [{"the host's own", "the vendor's"}] * 2      # asked for its index, and then the question
    assert [path.name for path in own.iterdir()] == ["debian.sources"]
