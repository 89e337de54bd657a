"""What is wrong with catalogue, checklist or profile is said before a run, with file and line, all at once."""
from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from golive import compile as compiler
from golive import profile
from golive.errors import GoliveError

GOOD: dict[str, Any] = {
    "title": "Files are small", "severity": "high", "phase": "verify", "seen_from": "target", "probe": "file",
    "ask": {"path": "/etc/hosts"}, "expect": {"exists": True}, "witness": ["kernel"], "remedy": "roles/bot", "how": "Run it again.",
    "faults": ["file_too_large"]}


class Project:
    def __init__(self, path: Path) -> None:
        self.path = path
        for folder in ("controls", "checklists/seeds"):
            (path / folder).mkdir(parents=True)
        self.controls({"file.small": dict(GOOD)})
        self.checklist([{"text": "Files are small", "seed": ["s-1"], "controls": ["file.small"]}])
        (path / "checklists/seeds/s.tsv").write_text("id\tline\ttext\ns-1\t1\tFiles are small\n")

    def controls(self, data: dict[str, Any]) -> None:
        (self.path / "controls/file.yml").write_text(yaml.safe_dump(data, sort_keys=False))

    def checklist(self, items: list[dict[str, Any]]) -> None:
        (self.path / "checklists/s.yml").write_text(yaml.safe_dump([{"section": "All", "items": items}], sort_keys=False))

    def compile(self, **values: Any) -> compiler.Compiled:
        return compiler.compile_system("s", profile.freeze({"limit": 10, **values}, rehearsal=True), self.path)

    def errors(self, **values: Any) -> str:
        with pytest.raises(compiler.CompileErrors) as caught:
            self.compile(**values)
        return str(caught.value)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_good_project_compiles(project: Project) -> None:
    compiled = project.compile()
    assert compiled.controls["file.small"]["expect"] == {"exists": {"eq": True}}
    assert compiled.items[0]["items"][0]["controls"] == ["file.small"]


@pytest.mark.parametrize(("change", "words"), [
    ({"expect": {"exists": {"is": True}}}, "unknown operator 'is'"),
    ({"expect": {"size": {"lt": "$limt"}}}, "unknown profile variable limt"),
    ({"expect": {"size": {"lt": 5}}}, "holds a number of its own, found 5"),
    ({"expect": {"weight": True}}, "never returns 'weight'"),
    ({"probe": "fiel"}, "unknown probe 'fiel'"),
    ({"ask": {"path": "/x", "colour": "red"}}, "takes no 'colour'"),
    ({"faults": []}, "has no fault"),
    ({"severity": "urgent"}, "severity is 'urgent'"),
    ({"severity": "critical", "witness": ["bot"]}, "rests on the bot's word alone"),
    ({"witness": ["somebody"]}, "witness is ['somebody']"),
    ({"remedy": "magic"}, "remedy is 'magic'"),
    ({"how": ""}, "how is missing"),
    ({"phse": "verify"}, "unknown field phse"),
    ({"seen_from": "peer"}, "does not say from which group"),
    ({"built": False}, "is not built and does not say why"),
    ({"variants": {"paper": {"probe": "http"}}}, "file.small@paper changes probe"),
])
def test_a_wrong_control_is_named_with_file_and_line(project: Project, change: dict[str, Any], words: str) -> None:
    project.controls({"file.small": {**GOOD, **change}})
    text = project.errors()
    assert words in text
    assert text.startswith("controls/file.yml:")
    assert text.split(":")[1].isdigit()


@pytest.mark.parametrize(("items", "words"), [
    ([{"text": "Files", "seed": ["s-1"], "controls": ["file.big"]}], "there is no control file.big"),
    ([{"text": "Files", "seed": ["s-1"]}], "has no control"),
    ([{"text": "Files", "seed": [], "controls": ["file.small"]}], "seed lines are missing, found s-1"),
    ([{"text": "A", "seed": ["s-1"], "controls": ["file.small"]}, {"text": "B", "seed": ["s-1"], "controls": ["file.small"]}],
     "seed line s-1 stands twice"),
    ([{"text": "A", "seed": ["s-1", "s-2"], "controls": ["file.small"]}], "there is no seed line s-2"),
])
def test_a_wrong_checklist_is_named_with_file_and_line(project: Project, items: list[dict[str, Any]], words: str) -> None:
    project.checklist(items)
    assert words in project.errors()


def test_all_errors_are_shown_at_once(project: Project) -> None:
    project.controls({"file.small": {**GOOD, "severity": "urgent", "probe": "fiel"}})
    project.checklist([{"text": "Files", "seed": ["s-9"], "controls": ["file.big"]}])
    assert len(project.errors().splitlines()) >= 5


def test_a_key_that_stands_twice_is_refused(project: Project) -> None:
    (project.path / "controls/file.yml").write_text(textwrap.dedent("""\
        file.small: {title: a}
        file.small: {title: b}
        """))
    assert "controls/file.yml:2: file.small stands twice, found first on line 1" in project.errors()


def test_a_variant_keeps_probe_and_faults_and_merges_ask_and_expect(project: Project) -> None:
    project.controls({"file.small": {**GOOD, "expect": {"exists": True, "size": {"lt": "$limit"}},
                                     "variants": {"paper": {"phase": "paper", "expect": {"size": {"lt": "$small"}}}}}})
    variant = project.compile(small=3).controls["file.small@paper"]
    assert (variant["phase"], variant["faults"]) == ("paper", ["file_too_large"])
    assert variant["expect"] == {"exists": {"eq": True}, "size": {"lt": 3}}


def test_what_is_not_built_stays_with_its_reason(project: Project) -> None:
    project.controls({"file.small": {**GOOD, "built": False, "why": "the probe is missing", "probe": "later"}})
    assert project.compile().controls["file.small"]["tags"] == ["unbuilt"]


def test_a_scaled_waiting_time_marks_every_control_that_uses_it(project: Project) -> None:
    project.controls({"file.small": {**GOOD, "expect": {"size": {"lt": "$wait_s"}}}})
    compiled = project.compile(wait_s=864, golive_waiting_times=["wait_s"], golive_day_seconds=100)
    assert compiled.controls["file.small"]["expect"]["size"] == {"lt": 1.0}
    assert compiled.controls["file.small"]["tags"] == ["scaled"]


@pytest.mark.parametrize(("values", "words"), [
    ({"golive_day_seconds": 60}, "is set in production"),
    ({"name": "{{ other }}"}, "was not resolved"),
])
def test_a_production_profile_is_never_scaled_or_half_resolved(values: dict[str, Any], words: str) -> None:
    with pytest.raises(GoliveError, match=words):
        profile.freeze(values, rehearsal=False)


def test_the_list_of_kraken_micro_compiles_with_all_its_lines() -> None:
    root = compiler.ROOT
    values = profile.from_files(root / "inventories/kraken-micro", "rehearsal")
    plain = {name: value for name, value in values.items() if not (isinstance(value, str) and "{{" in value)}
    compiled = compiler.compile_system("kraken-micro", profile.freeze(plain, rehearsal=True), root)
    assert sum(len(section["items"]) for section in compiled.items) == 96
