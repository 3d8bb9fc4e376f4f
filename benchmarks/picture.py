"""Draw docs/report.png: the top of the demo's report, as a visitor of the README sees it.

Usage: make demo, then python benchmarks/picture.py
"""

import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from install_browser import find_browser  # noqa: E402


def main() -> None:
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=flags)
        page = browser.new_page(viewport={"width": 1100, "height": 1230})
        page.goto((ROOT / "demo" / "report.html").as_uri())
        page.wait_for_timeout(2000)  # the figures are drawn after the page is loaded
        page.screenshot(path=ROOT / "docs" / "report.png")
        browser.close()


if __name__ == "__main__":
    main()
