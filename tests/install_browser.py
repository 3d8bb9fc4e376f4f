"""Make sure there is a Chromium for the browser tests: the system's, else the system's package, else Playwright's own.

Exits with 1, and says what to do, where none can be had.
"""

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def playwright_browser() -> str | None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = playwright.chromium.executable_path
    return path if os.path.exists(path) else None


def find_browser() -> str | None:
    """The path of a Chromium, or None."""
    return next((found for found in map(shutil.which, NAMES) if found), None) or playwright_browser()


def install() -> None:
    if shutil.which("apt-get") and os.geteuid() == 0:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], ["apt-get", "install", "-y", "-qq", "chromium"]):
            subprocess.run(command, check=False, env=environment, stdout=subprocess.DEVNULL)
    if not find_browser():
        subprocess.run([sys.executable, "-m", "playwright", "install", "chromium"], check=False)


if __name__ == "__main__":
    if not find_browser():
        install()
    if not find_browser():
        sys.exit("The browser tests need Chromium and none could be installed: install the package chromium.")
