"""A real Chromium for tests; where there is none, they skip and say so."""

import os
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def executable():
    """Return the browser's file, None where there is none."""
    found = (shutil.which(name) for name in NAMES)
    return next(filter(None, (*found, *(place for place in PLACES if Path(place).exists()))), None)


@contextmanager
def launched():
    """Yield a browser with a new profile, which goes with it."""
    program = executable()
    if program is None:
        pytest.skip("NO BROWSER: install Chromium (e.g. apt-get install chromium) to run the tests that need one")
    # Chromium's sandbox refuses to run as root.
    sandbox = [] if sys.platform == "win32" or os.geteuid() else ["--no-sandbox"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, headless=True, args=[*FLAGS, *sandbox])
        yield browser
        browser.close()
