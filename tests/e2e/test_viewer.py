"""The page that shows how events travel, in a real browser: on the story's own spans, and on spans that mean harm."""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from selenium.common.exceptions import TimeoutException
from selenium.webdriver import Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from cli import running, ui
from cli.viewer.server import serving
from local.stackfile import StackFile
from local.story import Ending
from tests.cli.spanfiles import TRACE, span, story, write

pytestmark = pytest.mark.e2e

PATIENCE = 60.0
SERVICES = {"enrollment", "matching", "scheduling", "insights"}
QUIET = "headless no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-sync"
QUIET += " disable-component-update disable-dev-shm-usage force-prefers-reduced-motion"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """A browser without a window, with a profile of its own, that asks nobody for anything by itself."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (browser and driver):
        pytest.skip("NOT TESTED: the page of the traces in a browser; chromium and chromium-driver are not installed")
    options = ChromeOptions()
    options.binary_location = browser
    for option in (*QUIET.split(), f"user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(f"--{option}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options, ChromeService(driver))
    chrome.set_page_load_timeout(PATIENCE)
    chrome.set_script_timeout(PATIENCE)
    yield chrome
    chrome.quit()


class Page:
    """What somebody does with the page, and what it shows."""

    def __init__(self, chrome: Chrome, url: str) -> None:
        self.chrome = chrome
        self.url = url
        self.resize(1280, 900)
        chrome.get(url)

    def resize(self, width: int, height: int) -> None:
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.chrome.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def all(self, css: str) -> list[WebElement]:
        return self.chrome.find_elements(By.CSS_SELECTOR, css)

    def texts(self, css: str) -> list[str]:
        """The texts of all that match, at one moment."""
        ask = "return [...document.querySelectorAll(arguments[0])].filter(e => e.checkVisibility?.() ?? true)"
        return list(self.chrome.execute_script(f"{ask}.map(e => e.textContent)", css))

    def until(self, holds: Callable[[], Any], what: str) -> Any:
        try:
            return WebDriverWait(self.chrome, PATIENCE, 0.1).until(lambda _: holds())
        except TimeoutException:
            raise AssertionError(f"not seen: {what}, but {self.texts('body')}") from None

    def choose(self, trace: str) -> None:
        """Click a trace in the list, and wait until it is drawn."""
        css = f'#list a[data-id="{trace}"]'
        self.until(lambda: self.all(css), "the trace is in the list")[0].click()
        self.until(lambda: self.texts(".mono[title]")[:1] == [trace[:16]] and self.all("tr.row"), "the trace is drawn")

    def focused(self) -> str:
        return str(self.chrome.execute_script("return document.activeElement.dataset.span || ''"))

    def press(self, *keys: str) -> None:
        self.chrome.switch_to.active_element.send_keys(*keys)

    def is_within_its_width(self) -> bool:
        return bool(self.chrome.execute_script("return document.documentElement.scrollWidth <= innerWidth"))

    def assert_quiet(self) -> None:
        """Nothing was asked for elsewhere, and nothing was wrong on the page."""
        messages = [json.loads(entry["message"])["message"] for entry in self.chrome.get_log("performance")]
        asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
        assert any(address.startswith(f"{self.url}/api/traces") for address in asked)
        assert [address for address in asked if not address.startswith(f"{self.url}/")] == []
        assert self.chrome.get_log("browser") == []


@contextmanager
def opened(chrome: Chrome, folder: Path, **more: Any) -> Iterator[Page]:
    chrome.get("about:blank")
    for log in ("browser", "performance"):
        chrome.get_log(log)
    with serving(folder, 0, **more) as url:
        yield Page(chrome, url)
        chrome.get("about:blank")


def test_a_command_is_seen_on_its_way_through_all_four_services(
    chromium: Chrome, told: StackFile, ending: Ending, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running.CHOSEN, "file", Path(told["data"]) / "stack.json")
    with opened(chromium, Path(told["spans_dir"]), stack=ui.services) as page:
        page.until(lambda: set(page.texts("#stack b")) == SERVICES, "how the services are")
        page.all("#search")[0].send_keys("withdraw participantwithdrawn")
        page.choose(ending.trace)

        assert set(page.texts("tr.row td.c-service")) == SERVICES
        assert {"commit", "hear PairReleased", "task let go"} <= set(page.texts("tr.row .label"))
        ask = "return [...document.querySelectorAll('tr.row:not([hidden]) .bar')]"
        bars = page.chrome.execute_script(f"{ask}.map(bar => bar.getBoundingClientRect().left)")
        assert bars[0] == min(bars) and max(bars) > bars[0] + 100
        _is_replayed(page)
        _has_a_keyboard(page)
        _fits_a_telephone(page)
        _is_live(page, told)
        page.assert_quiet()


def _is_replayed(page: Page) -> None:
    """From the end, at which all that it went through is marked, to the beginning, and on."""
    assert set(page.texts(".flow .name")) == SERVICES
    assert {"HTTP", "journal", "relay", "inbox", "tasks"} <= {
        text.split(" ×")[0] for text in page.texts(".station.been")
    }
    assert any("ParticipantWithdrawn" in text for text in page.texts(".flow .fact"))
    [slider] = page.all("input[type=range]")
    slider.send_keys(Keys.HOME)
    page.until(lambda: page.texts(".station.been") == [] == page.all(".trail[visibility=visible]"), "the beginning")
    page.all("button.play")[0].click()
    page.until(lambda: page.all(".flow .token"), "the event is on its way")
    page.until(lambda: page.texts(".station.now"), "something works")
    slider.send_keys(Keys.END)
    page.until(lambda: len(page.texts(".station.been")) > 8, "the end")


def _has_a_keyboard(page: Page) -> None:
    buttons = page.all("button[data-span]")
    page.chrome.execute_script("arguments[0].focus()", buttons[0])
    first = page.focused()
    page.press(Keys.ENTER)
    details = page.texts("tr.more dd")
    assert "POST" in details and any("/withdraw" in detail for detail in details)
    page.press(Keys.ARROW_DOWN)
    assert page.focused() not in ("", first)
    page.press(Keys.ARROW_UP, Keys.ENTER)
    assert page.focused() == first and page.texts("tr.more") == []
    page.press("+")
    assert page.chrome.execute_script("return !document.querySelector('.bar-top button:last-child').disabled")
    page.press("0")


def _fits_a_telephone(page: Page) -> None:
    page.resize(400, 800)
    page.until(lambda: page.all(".back")[0].is_displayed() and page.is_within_its_width(), "the trace on 400 pixels")
    page.all(".back")[0].click()
    page.until(lambda: page.all("#search")[0].is_displayed() and page.is_within_its_width(), "the list on 400 pixels")
    page.resize(1280, 900)


def _is_live(page: Page, told: StackFile) -> None:
    """What is asked of a service now is in the list a moment later."""
    page.all("#search")[0].clear()
    page.all("#which button")[1].click()
    asked = '#list .what[title="GET /programs"]'
    page.all("#search")[0].send_keys("GET /programs")
    page.until(lambda: not page.texts("#list .took") or page.texts(asked), "what was asked before")
    before = len(page.texts(asked))
    running.request(told, "GET", "enrollment", "/programs")
    page.until(lambda: len(page.texts(asked)) == before + 1, "a new trace")


HARM = '"><img src=x onerror="window.harmed=1"><script>window.harmed=1</script>'


@pytest.mark.guarantee("running")
def test_what_spans_say_is_only_ever_text(chromium: Chrome, tmp_path: Path) -> None:
    harm = {"counterpoint.fact": HARM, HARM: HARM, "messaging.destination.name": HARM, "counterpoint.program": HARM}
    harmful: dict[str, Any] = {
        "attributes": harm,
        "role": HARM,
        "links": [{"trace": f"javascript:{HARM}", "span": HARM}],
    }
    write(tmp_path / "a.jsonl", *story(status="error", **harmful))
    write(tmp_path / "a.jsonl", span("11", "04", HARM, f"process {HARM}", 1_045, kind="consumer", **harmful))
    write(tmp_path / "a.jsonl", span("12", "gone", "insights", "lost", 1_046, kind="internal"))
    again = {"counterpoint.repeat": True, "counterpoint.fact": HARM}
    write(tmp_path / "a.jsonl", span("13", "11", "insights", "x", 1_047, kind="producer", attributes=again))
    with opened(chromium, tmp_path) as page:
        page.choose(TRACE)
        page.chrome.execute_script("document.querySelectorAll('button[data-span]').forEach(b => b.click())")
        page.until(lambda: len(page.texts("tr.more")) >= 9, "all details")
        assert HARM in " ".join(page.texts("tr.more")) and HARM in " ".join(page.texts(".flow"))
        assert page.chrome.execute_script("return window.harmed") is None
        assert len(page.all("img")) == 1 and len(page.all("script")) == 2
        assert {"failed", "repeat", "cause elsewhere"} <= set(page.texts("tr.row .badge"))
        assert "1 error" in page.texts(".meta .failed")
        assert page.all(".station.failed") and page.all("tr.failed")
        assert all(a.get_attribute("href").startswith(f"{page.url}/#/") for a in page.all("main a[href]"))
        shades = "return getComputedStyle(document.body).backgroundColor"
        before = page.chrome.execute_script(shades)
        page.all("#theme")[0].click()
        assert page.chrome.execute_script(shades) != before
        page.assert_quiet()


def test_where_nothing_has_happened_it_says_what_to_do_and_goes_on_by_itself(chromium: Chrome, tmp_path: Path) -> None:
    with opened(chromium, tmp_path) as page:
        page.until(lambda: any("counterpoint demo --keep" in text for text in page.texts("#detail pre")), "what to do")
        write(tmp_path / "a.jsonl", *story())
        page.until(lambda: page.texts("tr.row td.c-service")[:1] == ["matching"], "the first trace opens")
        page.assert_quiet()
