"""The page as a person meets it: desktop, phone and paper, light and dark, with a keyboard, in a real browser."""
from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from golive.report import build, write
from playwright.sync_api import Browser, Page, sync_playwright

from tests.fixtures.report import run_directory

pytestmark = pytest.mark.browser
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]

CONTRAST = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const channel = value => { value /= 255; return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const ground = element => {
    for (let one = element; one; one = one.parentElement) {
      const style = getComputedStyle(one), colour = rgb(style.backgroundColor);
      if (style.backgroundImage.includes('gradient')) return rgb(style.backgroundImage.match(/rgb\\([^)]+\\)/)[0]);
      if (colour.length < 4 || colour[3] === 1) return colour;
    }
    return matchMedia('(prefers-color-scheme: dark)').matches ? [0, 0, 0] : [255, 255, 255];
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility()) continue;
    const a = light(rgb(getComputedStyle(element).color)), b = light(ground(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) bad.push(`${element.className || element.tagName} ${ratio.toFixed(2)} ${node.data.trim().slice(0, 40)}`);
  }
  return bad;
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail("Chromium is needed: apt-get install -y chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The page of each kind of run."""
    root = tmp_path_factory.mktemp("reports")
    folders = {"stopped": run_directory.realistic().write(root / "stopped"), "live": run_directory.live().write(root / "live"),
               "killed": run_directory.write_killed(root / "killed")}
    for folder in folders.values():
        write(build(folder), folder, ("report.html",))
    return {name: (folder / "report.html").as_uri() for name, folder in folders.items()}


def _open(browser: Browser, address: str, width: int = 1280, height: int = 800, scheme: str = "light") -> Page:
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page.errors = []  # type: ignore[attr-defined]
    page.on("console", lambda message: page.errors.append(message.text))  # type: ignore[attr-defined]
    page.on("pageerror", lambda error: page.errors.append(str(error)))  # type: ignore[attr-defined]
    page.on("request", lambda request: None if request.url.startswith(("file:", "data:")) else page.errors.append(request.url))  # type: ignore[attr-defined]
    page.on("dialog", lambda dialog: page.errors.append(dialog.message))  # type: ignore[attr-defined]
    page.goto(address)
    return page


@pytest.mark.parametrize("kind", ["stopped", "live", "killed"])
@pytest.mark.parametrize(("width", "height"), [(1280, 800), (390, 844), (320, 568)])
def test_page_loads_without_a_complaint_and_never_scrolls_sideways(
        browser: Browser, addresses: dict[str, str], kind: str, width: int, height: int) -> None:
    page = _open(browser, addresses[kind], width, height)
    assert page.errors == []  # type: ignore[attr-defined]
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("kind", ["stopped", "live", "killed"])
def test_every_text_stands_out_from_its_ground(browser: Browser, addresses: dict[str, str], kind: str, scheme: str) -> None:
    page = _open(browser, addresses[kind], scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
    assert page.evaluate(CONTRAST) == []
    page.close()


def test_first_screen_shows_which_money_the_verdict_the_stake_and_how_to_stop(browser: Browser, addresses: dict[str, str]) -> None:
    page = _open(browser, addresses["stopped"])
    for selector in (".banner .word", "#sentence", "#exposure", ".command", ".top > li:nth-child(1)", ".top > li:nth-child(2)"):
        box = page.locator(selector).bounding_box()
        assert box is not None
        assert box["y"] + box["height"] <= 800, selector
    page.close()


def test_phone_shows_stake_and_stop_before_the_findings(browser: Browser, addresses: dict[str, str]) -> None:
    page = _open(browser, addresses["stopped"], 390, 844)
    tops = [page.locator(selector).bounding_box()["y"] for selector in ("#sentence", "#exposure", "#stop", "#top", "#earliest")]  # type: ignore[index]
    assert tops == sorted(tops)
    page.close()


def test_keyboard_reaches_the_list_opens_a_control_and_filters(browser: Browser, addresses: dict[str, str]) -> None:
    page = _open(browser, addresses["stopped"])
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.locator(".skip").bounding_box()["x"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#list"
    summary = page.locator('details[id="c-process.running"] > summary')
    summary.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    assert page.locator('details[id="c-process.running"]').get_attribute("open") is not None
    page.locator("#show-all").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("#show-red").is_checked()
    assert page.locator(".line:visible").count() == page.locator(".line.fail").count() > 0
    page.close()


def test_landmarks_and_headings_tell_the_parts_apart(browser: Browser, addresses: dict[str, str]) -> None:
    page = _open(browser, addresses["stopped"])
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == page.get_by_role("contentinfo").count() == 1
    assert page.get_by_role("navigation", name="Parts of this report").count() == 1
    assert page.get_by_role("heading", level=1).count() == 1
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))")
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))
    assert page.evaluate("document.documentElement.lang") == "en"
    page.close()


def test_every_verdict_is_a_word_and_not_only_a_colour(browser: Browser, addresses: dict[str, str]) -> None:
    page = _open(browser, addresses["stopped"])
    words = {text.split(" ", 1)[1] for text in page.locator(".badge").all_inner_texts()}
    assert {"red", "not known", "waived", "verified", "attested", "bot's word", "shown (scaled)", "loosened", "not held",
            "does not apply"} <= words
    page.close()


def test_paper_shows_what_is_folded_on_the_screen(browser: Browser, addresses: dict[str, str], tmp_path: Path) -> None:
    page = _open(browser, addresses["stopped"])
    closed = page.locator('details[id="c-process.running"] .body')
    assert not closed.is_visible()
    page.emulate_media(media="print")
    assert closed.is_visible()
    assert not page.locator(".toc").is_visible()
    assert page.locator(".banner .word").is_visible()
    pdf = page.pdf(path=str(tmp_path / "report.pdf"), format="A4")
    assert pdf.startswith(b"%PDF")
    page.close()
