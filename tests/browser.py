"""A real browser for tests: headless Chromium, its log, and every request it made; skips loudly where there is none."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service


@contextmanager
def browser(folder: Path) -> Iterator[webdriver.Chrome]:
    """A Chromium that keeps its profile in `folder`; ended at the end of the block."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("NOT CHECKED: the page needs chromium and chromedriver, and they are not on the PATH")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", f"user-data-dir={folder}"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    try:
        yield chrome
    finally:
        chrome.quit()


def requests(chrome: webdriver.Chrome) -> list[str]:
    """The addresses asked for since it was last asked, without what is inside the page itself."""
    said = [json.loads(entry["message"])["message"] for entry in chrome.get_log("performance")]
    sent = [m["params"]["request"]["url"] for m in said if m["method"] == "Network.requestWillBeSent"]
    return [url for url in sent if not url.startswith(("data:", "chrome:", "devtools:"))]


def complaints(chrome: webdriver.Chrome) -> list[str]:
    """What the browser has against the page: errors of its programs, refusals by its policy."""
    return [entry["message"] for entry in chrome.get_log("browser")]


def narrow(chrome: webdriver.Chrome, width: int, height: int = 850) -> None:
    """Show the page as on a small screen, `width` pixels wide."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
    chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def colours(chrome: webdriver.Chrome, scheme: str) -> None:
    """Ask for the `light` or the `dark` colours."""
    wish = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    chrome.execute_cdp_cmd("Emulation.setEmulatedMedia", wish)
