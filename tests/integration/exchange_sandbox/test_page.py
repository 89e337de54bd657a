"""The page in Chromium: shows book, orders, equity and verdicts, and switches cruelties; keyboard and hostile text included."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from .conftest import Sandbox, http

pytestmark = pytest.mark.browser
WAIT_MS = 30_000
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed here")
    with sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(shared: Sandbox, browser: Any) -> Iterator[Any]:
    context = browser.new_context()
    tab = context.new_page()
    tab.set_default_timeout(WAIT_MS)
    tab.complaints = []
    tab.on("console", lambda message: tab.complaints.append(message.text) if message.type == "error" else None)
    tab.on("pageerror", lambda error: tab.complaints.append(str(error)))
    tab.goto(shared.admin + "/")
    yield tab
    context.close()


def _enter(page: Any, shared: Sandbox) -> None:
    page.get_by_label("Administration token").fill(shared.token)
    page.keyboard.press("Enter")
    page.locator("#book tbody tr").first.wait_for()


def test_orders_book_equity_and_verdicts_are_live(shared: Sandbox, page: Any) -> None:
    shared.account("seen")
    client = shared.key("seen")
    client.look()
    client.good("AddOrder", pair="SHIBUSDT", type="buy", ordertype="limit", price="0.00000100", volume="600000", cl_ord_id="page-order")
    _enter(page, shared)
    page.get_by_label("Account").select_option("seen")
    page.locator("#orders td", has_text="0.000001").wait_for()
    page.locator("#equity", has_text="$1000.0000").wait_for()
    assert page.locator("#book tbody tr").count() == 5
    page.locator("#verdicts tr", has_text="signature").locator(".pass").wait_for()
    client.call("Balance", flip=True)
    page.locator("#verdicts tr", has_text="signature").locator(".fail", has_text="1").wait_for()
    assert page.complaints == []


def test_a_cruelty_is_switched_on_and_off_by_keyboard(shared: Sandbox, page: Any) -> None:
    shared.account("struck")
    client = shared.key("struck")
    _enter(page, shared)
    page.get_by_label("Account").select_option("struck")
    page.get_by_role("button", name="Start http_5xx").focus()
    page.keyboard.press("Enter")
    page.get_by_role("button", name="End http_5xx").wait_for()
    assert [row["name"] for row in shared.ask("GET", "cruelties")["active"]] == ["http_5xx"]
    assert shared.ask("GET", "cruelties")["active"][0]["account"] == "struck"
    page.get_by_role("button", name="End http_5xx").click()
    page.get_by_role("button", name="Start http_5xx").wait_for()
    client.good("Balance")
    assert page.complaints == []


def test_a_wrong_token_opens_nothing(shared: Sandbox, page: Any) -> None:
    page.get_by_label("Administration token").fill("wrong-token-wrong-token")
    page.keyboard.press("Enter")
    page.get_by_text("give the administration token").wait_for()
    assert page.locator("#desk").is_hidden()


def test_what_a_bot_wrote_never_becomes_markup(shared: Sandbox, page: Any) -> None:
    shared.account("hostile")
    client = shared.key("hostile")
    client.call("AddOrder", pair="<b>x</b>", type="<img src=x onerror=document.title=1>", ordertype="limit", volume="1")
    client.call("Balance", flip=True)
    _enter(page, shared)
    page.get_by_label("Account").select_option("hostile")
    page.locator("#verdicts tr", has_text="signature").locator(".fail").wait_for()
    assert page.title() == "REHEARSAL exchange"
    assert page.locator("#verdicts img").count() == 0


def test_the_page_needs_no_token_but_holds_no_data_and_no_foreign_source(shared: Sandbox) -> None:
    status, headers, body = http("GET", shared.admin + "/")
    assert status == 200
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert b"http://" not in body
    assert b"https://" not in body


def test_the_page_fits_a_phone(shared: Sandbox, page: Any) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    _enter(page, shared)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
