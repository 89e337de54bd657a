"""The page: self-contained, no script, and what comes from outside is text."""
from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType

import pytest
from golive.report import build, html
from golive.report.model import Report


class _Page(HTMLParser):
    """Collects tags, attributes, ids and local links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.links += [value or "" for name, value in attrs if name == "href"]


@pytest.fixture
def page(stopped: Report) -> _Page:
    return _Page(html.text(stopped))


def test_hostile_text_is_text(stopped: Report, page: _Page) -> None:
    text = html.text(stopped)
    assert "&lt;script&gt;alert" in text
    assert not {"script", "img", "iframe", "form", "object", "embed"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on") or name == "style"]
    assert "{{ 7*7 }}" in text


def test_nothing_is_fetched(page: _Page) -> None:
    assert not [value for name, value in page.attributes if name in ("src", "srcset", "action", "background")]
    assert all(link.startswith("#") or link == "data:," for link in page.links)


def test_policy_forbids_all_but_the_one_style(stopped: Report) -> None:
    text = html.text(stopped)
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    assert unescape(policy[1]).startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy[1]


def test_every_local_link_has_its_place_and_ids_are_unique(page: _Page) -> None:
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)


def test_every_line_of_the_list_and_every_control_stands_on_the_page(stopped: Report) -> None:
    text = html.text(stopped)
    assert text.count('<tr class="line ') == len(stopped.items)
    assert text.count('<details class="control"') == len(stopped.controls)


@pytest.mark.parametrize(("rehearsal", "word"), [(True, "REHEARSAL"), (False, "REAL"), (None, "NOT KNOWN IF REAL")])
def test_banner_and_title_say_which_money(runs: ModuleType, tmp_path: Path, rehearsal: bool | None, word: str) -> None:
    world = runs.realistic()
    world.rehearsal = rehearsal
    text = html.text(build(world.write(tmp_path)))
    assert f'<span class="word">{word}</span>' in text
    assert f"<title>{word} · " in text
    assert f"<p>{word} · " in text


def test_no_percentage_and_no_overall_tick(runs: ModuleType, tmp_path: Path) -> None:
    text = html.text(build(runs.live().write(tmp_path)))
    body = text[text.index("<body>"):]
    first_screen = body[: body.index('<nav class="toc"')]
    assert "%" not in first_screen
    assert "✓" not in first_screen


def test_pages_of_damaged_runs_can_be_made(runs: ModuleType, tmp_path: Path) -> None:
    empty = tmp_path / "kraken-micro" / runs.RUN
    empty.mkdir(parents=True)
    assert "Could not tell" in html.text(build(empty))
    assert "The run left no list" in html.text(build(empty))
