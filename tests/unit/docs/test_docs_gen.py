"""The generated reference says what the code says, and a page that does not is named."""
from __future__ import annotations

from pathlib import Path

import pytest
from golive import catalogue, docs_gen
from golive.errors import GoliveError

ROLE = """argument_specs:
  main:
    short_description: a role
    options:
      web_listen: {type: str, default: 127.0.0.1, description: Where C(web) listens | and why.}
      web_rules:
        type: list
        elements: dict
        default: []
        description: [First., Second <br>.]
        options:
          name: {type: str, required: true, description: Name.}
          token: {type: str, no_log: true, description: Reference., choices: [a, b]}
"""
CONTROL = """web.runs:
  title: The web | runs
  severity: critical
  phase: verify
  seen_from: target
  probe: process
  ask: {unit: $web_unit}
  expect: {running: true, restarts: {lt: $web_restarts_max}}
  witness: [kernel]
  remedy: roles/web
  how: Start it
  faults: [web_stopped]
"""
LIST = """- section: All
  items:
    - {text: It runs, seed: [web-001], controls: [web.runs]}
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project in small."""
    for path, text in (("roles/web/meta/argument_specs.yml", ROLE), ("controls/web.yml", CONTROL), ("checklists/web.yml", LIST),
                       ("inventories/web/group_vars/all/web.yml", "web_unit: web.service\nweb_restarts_max: 3\n"),
                       ("inventories/web/group_vars/rehearsal/web.yml", "web_restarts_max: 9\n"),
                       ("library/web.py", 'DOCUMENTATION = r"""\nmodule: web\nshort_description: serves\noptions: {}\n"""\n')):
        (tmp_path / path).parent.mkdir(parents=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def test_reference_of_this_project_is_current() -> None:
    assert docs_gen.stale() == [], "run python -m golive.docs_gen and commit docs/reference"


def test_every_option_stands_in_its_table(root: Path) -> None:
    text = docs_gen.pages(root)[docs_gen.FOLDER / "roles.md"]
    assert "| `web_listen` | str | `127.0.0.1` | Where `web` listens \\| and why. |" in text
    assert "| `web_rules[].name` | str | **required** | Name. |" in text
    assert "| `web_rules[].token` | str: a, b, secret |  | Reference. |" in text
    assert "Second &lt;br>." in text


def test_control_says_weight_witness_wanted_and_remedy(root: Path) -> None:
    text = docs_gen.pages(root)[docs_gen.FOLDER / "controls.md"]
    assert ("| <a id=\"web.runs\"></a>`web.runs`<br>The web \\| runs | critical, verify, no entries "
            "| `process` from target; word of kernel | running: yes<br>restarts: &lt; $web_restarts_max | roles/web: Start it |") in text


def test_list_links_to_its_controls(root: Path) -> None:
    assert "[`web.runs`](controls.md#web.runs)" in docs_gen.pages(root)[docs_gen.FOLDER / "checklist-web.md"]


def test_number_says_its_value_in_both_kinds_of_run_and_who_asks(root: Path) -> None:
    text = docs_gen.pages(root)[docs_gen.FOLDER / "profile-web.md"]
    assert "| `web_restarts_max` | `3` | `9` | [`web.runs`](controls.md#web.runs) |" in text
    assert "| `web_unit` | `web.service` |  | [`web.runs`](controls.md#web.runs) |" in text


def test_writing_makes_it_current_and_every_kind_of_staleness_is_named(root: Path) -> None:
    assert all(told.endswith("is missing") for told in docs_gen.stale(root))
    assert len(docs_gen.write(root)) == 7
    assert docs_gen.write(root) == []
    assert docs_gen.stale(root) == []
    page = root / docs_gen.FOLDER / "roles.md"
    page.write_text(page.read_text() + "more")
    (root / docs_gen.FOLDER / "gone.md").write_text(docs_gen.MARK)
    assert docs_gen.stale(root) == ["docs/reference/gone.md is generated no longer", "docs/reference/roles.md is stale"]
    docs_gen.write(root)
    assert not (root / docs_gen.FOLDER / "gone.md").exists()


def test_page_by_hand_is_listed_and_left_alone(root: Path) -> None:
    own = root / docs_gen.FOLDER / "report.md"
    own.parent.mkdir(parents=True)
    own.write_text("# By hand\n")
    docs_gen.write(root)
    assert own.read_text() == "# By hand\n"
    assert "[By hand](report.md)" in (root / docs_gen.FOLDER / "README.md").read_text()


def test_check_changes_nothing_and_says_what_to_do(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs_gen.main(["--check", "--root", str(root)]) == 2
    assert "run python -m golive.docs_gen" in capsys.readouterr().err
    assert not (root / docs_gen.FOLDER).exists()


def test_role_that_is_no_yaml_is_named_in_one_sentence(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "roles/web/meta/argument_specs.yml").write_text("a: [")
    assert docs_gen.main(["--root", str(root)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("golive.docs_gen: ")
    assert "argument_specs.yml: is no YAML" in told


def test_catalogue_with_an_error_gives_no_page(root: Path) -> None:
    (root / "controls/web.yml").write_text(CONTROL.replace("severity: critical", "severity: grave"))
    assert catalogue.load(root / "controls").errors
    with pytest.raises(GoliveError, match="severity is 'grave'"):
        docs_gen.pages(root)
