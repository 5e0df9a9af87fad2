"""The catalogue in a real browser: found by typing, walked by keys, readable on any screen, asking nobody."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By

from cli import catalog
from cli.schemas import STATES
from contracts.all import CATALOG
from tests.browser import browser, colours, complaints, narrow, requests

ADDRESS = catalog.HTML.as_uri()
ALL = sum(fact.v for fact in CATALOG.facts.values()) + len(STATES)


@pytest.fixture(scope="module")
def chrome(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    with browser(tmp_path_factory.mktemp("chromium")) as one:
        yield one


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    """The page as somebody first sees it."""
    if "chrome" in request.fixturenames:
        chrome: Chrome = request.getfixturevalue("chrome")
        chrome.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        colours(chrome, "light")
        chrome.get("about:blank")
        chrome.get(ADDRESS)


def until(done: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def typed(chrome: Chrome, *keys: str) -> None:
    chrome.switch_to.active_element.send_keys(*keys)


def shown(chrome: Chrome) -> list[str]:
    """The facts that the page shows."""
    script = "return [...document.querySelectorAll('details')].filter(d => d.checkVisibility()).map(d => d.id)"
    return list(chrome.execute_script(script))


def opened(chrome: Chrome) -> list[str]:
    return list(chrome.execute_script("return [...document.querySelectorAll('details[open]')].map(d => d.id)"))


def test_it_asks_nobody_for_anything_and_runs_nothing_but_its_own(chrome: Chrome) -> None:
    assert set(requests(chrome)) <= {ADDRESS, "about:blank"}
    assert complaints(chrome) == []
    chrome.execute_script("const i = new Image(); i.src = 'https://example.com/x.png'; document.body.append(i)")
    until(lambda: any("Content Security Policy" in said for said in complaints(chrome)))


def test_everything_is_there_also_without_its_program() -> None:
    text = catalog.HTML.read_text()
    assert len(re.findall("<details ", text)) == ALL
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", text)
    assert not re.search(r" (style|on\w+)=", text), "what the policy forbids"


def test_what_is_typed_is_found_by_name_field_word_and_topic(chrome: Chrome) -> None:
    assert len(shown(chrome)) == ALL
    typed(chrome, "/")
    for words, name in (
        ("pairformed", "PairFormed"),
        ("notice_hours", "SessionMoved"),
        ("if_need_be", "SessionProposed"),
        ("counterpoint.insights.events band", "ThemePublished"),
        ("calendar entry time yet", "JourneyOpened"),
    ):
        typed(chrome, words)
        found = shown(chrome)
        assert name in found and len(found) < ALL / 2, words
        assert chrome.find_element(By.TAG_NAME, "output").text == f"{len(found)} of {ALL}"
        typed(chrome, Keys.ESCAPE)
        assert len(shown(chrome)) == ALL
    typed(chrome, "no such words anywhere")
    assert shown(chrome) == [] and chrome.find_element(By.CLASS_NAME, "none").is_displayed()


def test_it_is_walked_by_keys_alone(chrome: Chrome) -> None:
    typed(chrome, "/", "session", Keys.ENTER)
    until(lambda: opened(chrome))
    assert opened(chrome) == ["SessionProposed"], "the first whose name has the word in it"
    before = shown(chrome)
    typed(chrome, Keys.ARROW_DOWN, Keys.ENTER)
    following = before[before.index("SessionProposed") + 1]
    until(lambda: following in opened(chrome))
    typed(chrome, "k")
    focused = chrome.execute_script("return document.activeElement.closest('details').id")
    assert focused == "SessionProposed"


def test_audiences_are_told_apart(chrome: Chrome) -> None:
    public = [f.__name__ for f in CATALOG.facts.values() if f.category.audience.value == "public"]
    chrome.find_element(By.CSS_SELECTOR, "button[value=public]").click()
    assert set(public) <= set(shown(chrome)) and "SeatTaken" not in shown(chrome)
    chrome.find_element(By.CSS_SELECTOR, "button[value=sealed]").click()
    assert "SeatTaken" in shown(chrome) and "Person" not in shown(chrome)


def test_an_address_leads_to_one_fact_even_where_it_is_filtered_out(chrome: Chrome) -> None:
    typed(chrome, "/", "pulse")
    chrome.execute_script("location.hash = 'PairFormed'")
    until(lambda: "PairFormed" in opened(chrome))
    card = chrome.find_element(By.ID, "PairFormed")
    assert "Not a first meeting" in card.text and "counterpoint.matching.events" in card.text
    assert "mentor_rev" in card.text and '"rules_version": 2' in card.text
    chrome.get(f"{ADDRESS}#SessionHeld.v1")
    until(lambda: "SessionHeld.v1" in opened(chrome))
    assert "superseded" in chrome.find_element(By.ID, "SessionHeld.v1").text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_it_is_readable_on_any_screen_in_both_colours(chrome: Chrome, width: int, scheme: str) -> None:
    narrow(chrome, width)
    colours(chrome, scheme)
    chrome.get(f"{ADDRESS}#ProgramOpened")
    until(lambda: opened(chrome) == ["ProgramOpened"])
    assert chrome.execute_script("return document.documentElement.scrollWidth") <= width
    for selector in ("summary p", "dt", "td", ".badge", ".isnt", "pre"):
        assert contrast(chrome, selector) >= 4.5, selector


def contrast(chrome: Chrome, selector: str) -> float:
    """Between a text of the open fact and what is behind it, by WCAG 2."""
    script = """
      const own = document.querySelector('details[open] ' + arguments[0]);
      const paint = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
      const rgb = (colour) => { paint.fillStyle = colour; paint.fillRect(0, 0, 1, 1);
        return [...paint.getImageData(0, 0, 1, 1).data]; };
      let behind = own;
      while (/rgba.*, 0\\)/.test(getComputedStyle(behind).backgroundColor)) behind = behind.parentElement;
      const light = (colour) => rgb(colour).slice(0, 3).map((c) => c / 255)
        .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
      const two = [getComputedStyle(own).color, getComputedStyle(behind).backgroundColor].map(light);
      return (Math.max(...two) + 0.05) / (Math.min(...two) + 0.05);
    """
    return float(chrome.execute_script(script, selector))
