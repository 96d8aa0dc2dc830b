"""Make tensorboard_timeseries.png, tensorboard_images.png and demo.png in docs/images, with Chromium.

python docs/screenshots.py lightning_logs/quickstart

The folder is that of `imgcolor fit --config experiments/quickstart.yaml`.
"""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

IMAGES = Path(__file__).with_name("images")
PORT = 6107


@contextmanager
def served(*command: str) -> Iterator[str]:
    """Start a server, and wait until it answers."""
    server = subprocess.Popen(
        [sys.executable, "-m", *command, f"--port={PORT}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{PORT}"
    try:
        for _ in range(300):
            time.sleep(1)
            try:
                urllib.request.urlopen(address).close()
                break
            except OSError:
                continue
        yield address
    finally:
        server.terminate()
        server.wait()


def opened(browser: Browser, address: str, width: int, height: int) -> Page:
    """Open a page, and wait until nothing is loaded any more."""
    page = browser.new_page(viewport={"width": width, "height": height})
    page.set_default_timeout(120_000)
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(5000)
    return page


def main(quickstart: str) -> None:
    """Make all screenshots.

    Args:
        quickstart: The folder of the run.
    """
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    options = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as program:
        browser = program.chromium.launch(executable_path=chromium, args=options)
        with served("tensorboard.main", f"--logdir={quickstart}", "--load_fast=false") as address:
            page = opened(
                browser, f"{address}/?tagFilter=val%2F(loss%7Cpsnr)&smoothing=0#timeseries", 1280, 640
            )
            page.locator("button", has_text="Settings").first.click()  # closes the settings
            page.wait_for_timeout(3000)
            page.screenshot(path=IMAGES / "tensorboard_timeseries.png")
            page = opened(browser, f"{address}/#images", 1280, 560)
            page.screenshot(path=IMAGES / "tensorboard_images.png")
        with served("imgcolor", "demo") as address:
            page = opened(browser, address, 1000, 900)
            page.locator(".gallery-item").nth(1).click()
            page.get_by_text("Download the result").wait_for()
            page.wait_for_timeout(3000)
            page.screenshot(path=IMAGES / "demo.png", full_page=True)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1])
