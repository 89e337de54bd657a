"""Which mirror the lab image is built from."""

from __future__ import annotations

from pathlib import Path

import pytest
from golive.lab import apt_sources
from golive.lab.apt_sources import debian_mirror, machine_files, mirror_of_this_machine, parse_deb822, parse_one_line, read_sources
from golive.lab.errors import LabError

DEBIAN = """\
Types: deb
# http://snapshot.debian.org/archive/debian/20250520T000000Z
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
"""
FOREIGN = "deb [arch=amd64 signed-by=/k.gpg] https://packages.cloud.example/apt cloud-sdk-bookworm main\n"
UBUNTU = "Types: deb\nURIs: http://archive.ubuntu.com/ubuntu/\nSuites: noble noble-updates\nComponents: main universe\n"


def test_foreign_source_that_comes_first_is_not_taken() -> None:
    assert debian_mirror([*parse_one_line(FOREIGN), *parse_deb822(DEBIAN)]) == "http://mirror.example/debian"


def test_security_archive_is_no_mirror_of_debian() -> None:
    security = "deb http://mirror.example/debian-security stable main\ndeb http://other.example/debian stable main\n"
    assert debian_mirror(parse_one_line(security)) == "http://other.example/debian"


@pytest.mark.parametrize("text", [UBUNTU, "", "Types: deb-src\nURIs: http://a.example/debian\nSuites: trixie\nComponents: main\n",
                                  "Types: deb\nEnabled: no\nURIs: http://a.example/debian\nSuites: trixie\nComponents: main\n"])
def test_machine_without_a_source_of_debian_has_none(text: str) -> None:
    assert debian_mirror(parse_deb822(text)) is None


@pytest.fixture
def ubuntu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine whose apt knows no Debian; returns where its debootstrap would lie."""
    (tmp_path / "ubuntu.sources").write_text(UBUNTU)
    monkeypatch.setattr(apt_sources, "machine_files", lambda: [tmp_path / "ubuntu.sources"])
    return tmp_path / "debootstrap"


def test_the_mirror_that_somebody_names_comes_first(ubuntu: Path) -> None:
    assert mirror_of_this_machine({"GOLIVE_DEBIAN_MIRROR": "http://named.example/debian/"}, ubuntu) == "http://named.example/debian"


def test_a_machine_without_a_source_of_debian_takes_its_debootstraps_own_mirror(ubuntu: Path) -> None:
    ubuntu.write_text('set -e\nDEF_MIRROR="http://built-in.example/debian"\nMIRRORS="$DEF_MIRROR"\n')
    assert mirror_of_this_machine({}, ubuntu) == "http://built-in.example/debian"


@pytest.mark.parametrize("program", [None, "echo no mirror here\n"])
def test_a_machine_that_names_no_mirror_is_told_how_to_name_one(ubuntu: Path, program: str | None) -> None:
    if program:
        ubuntu.write_text(program)
    with pytest.raises(LabError, match="GOLIVE_DEBIAN_MIRROR"):
        mirror_of_this_machine({}, ubuntu)


@pytest.mark.parametrize("line", [
    "deb http://a.example/debian trixie main contrib",
    "deb [ signed-by=/k.gpg ] http://a.example/debian trixie main # ours",
    "  deb\thttp://a.example/debian/\ttrixie\tmain",
])
def test_one_line_format(line: str) -> None:
    assert debian_mirror(parse_one_line(f"# a comment\n\n{line}\n")) == "http://a.example/debian"


@pytest.mark.parametrize("line", ["#deb http://a.example/debian trixie main", "deb-src http://a.example/debian trixie main",
                                  "deb cdrom:[Debian]/ trixie main", "deb http://a.example/debian trixie contrib"])
def test_line_that_offers_no_packages_of_main_is_passed_over(line: str) -> None:
    assert debian_mirror(parse_one_line(line)) is None


def test_folded_field_goes_on_in_the_next_line() -> None:
    text = "Types: deb\nURIs:\n http://a.example/debian\nSuites:\n trixie\nComponents: main\n"
    assert debian_mirror(parse_deb822(text)) == "http://a.example/debian"


def test_mirror_list_of_a_cloud_image_is_followed(tmp_path: Path) -> None:
    (tmp_path / "debian.list").write_text("# ours\nhttps://deb.example/debian\thost\nhttps://second.example/debian\n")
    text = f"Types: deb\nURIs: mirror+file:{tmp_path}/debian.list\nSuites: trixie\nComponents: main\n"
    assert debian_mirror(parse_deb822(text)) == "https://deb.example/debian"


def test_files_are_read_in_apts_order(tmp_path: Path) -> None:
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    (folder / "b.sources").write_text(DEBIAN)
    (folder / "a.list").write_text(FOREIGN)
    (folder / "old.sources.save").write_text(DEBIAN.replace("mirror.example", "wrong.example"))
    files = machine_files(tmp_path)
    assert [path.name for path in files] == ["sources.list", "a.list", "b.sources"]
    assert debian_mirror(read_sources(files)) == "http://mirror.example/debian"
