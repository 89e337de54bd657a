#!/usr/bin/env python3
"""Take pictures of a run's report to look at: python scripts/report_pictures.py RUN_DIR OUT_DIR (needs Chromium).

Writes desktop.png, dark.png, phone.png (whole page) and print.pdf.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
SCREENS = (("desktop", 1280, 800, "light", False), ("dark", 1280, 800, "dark", False), ("phone", 390, 844, "light", True))


def main() -> int:
    """Take the pictures; 0 taken, 2 nothing to take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    chosen = parser.parse_args()
    page_file = chosen.run / "report.html"
    if not page_file.is_file() or not Path(chosen.chromium).is_file():
        missing = chosen.chromium if page_file.is_file() else page_file
        print(f"{missing} is missing; run python -m golive.report RUN, and apt-get install -y chromium", file=sys.stderr)
        return 2
    chosen.out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chosen.chromium, args=ARGUMENTS)
        for name, width, height, scheme, whole in SCREENS:
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(page_file.resolve().as_uri())
            page.screenshot(path=chosen.out / f"{name}.png", full_page=whole)
            page.close()
        page = browser.new_page()
        page.goto(page_file.resolve().as_uri())
        page.pdf(path=chosen.out / "print.pdf", format="A4")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
