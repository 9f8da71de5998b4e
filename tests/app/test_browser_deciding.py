"""The pages of those who decide, in a real browser: from sliders to a committed plan, a decision and its outcome."""

import json
import re
import threading
from typing import Any

import pytest

from tests.app.browser import CHROMIUM, Browser
from tests.app.conftest import TOKEN
from tests.app.test_browser import Served, browser, fits, served
from theodolite.study import Study

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
__all__ = ["browser", "served"]


def send(browser: Browser, form: str, **entries: str) -> None:
    """Fill a form in and send it, its drawer opened."""
    for name, value in entries.items():
        browser.js(f"{form}.elements.{name}.value = {json.dumps(value)}")
    browser.js(f"for (let e = {form}; e; e = e.parentElement) if (e.matches('details')) e.open = true")
    browser.leaving(lambda: browser.js(f"{form}.requestSubmit()"))


def test_a_page_says_what_it_works_out_and_shows_it_once_it_is_there(
    served: Served, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser.go(f"{served.url}/plan?periods=3&token={TOKEN}")
    gate, scenario = threading.Event(), Study.scenario

    def held(study: Study, *asked: Any) -> Any:
        assert gate.wait(60)
        return scenario(study, *asked)

    monkeypatch.setattr(Study, "scenario", held)
    browser.js(f"location.href = '{served.url}/plan?periods=3&share0=130'")
    browser.until("document.querySelector('#scenario .working') !== null")
    said = browser.js("document.querySelector('#scenario .working').innerText")
    assert "Working out what this would bring" in said
    assert "The plan spends" in browser.js("document.querySelector('#optimum').innerText"), "the rest can be read"
    gate.set()
    browser.until("document.querySelector('#scenario .fact') !== null")
    assert "Chance of more profit" in browser.js("document.querySelector('#scenario').innerText")
    browser.settled()


def test_from_the_sliders_to_a_committed_plan_a_decision_and_what_came_of_it(served: Served, browser: Browser) -> None:
    browser.go(f"{served.url}/plan?periods=4&token={TOKEN}")
    form = "document.querySelector('form[action*=scenario]')"
    name = browser.js(f"{form}.querySelector('label').firstChild.textContent.trim()")
    assert "as much as business as usual" in browser.js(f"{form}.querySelector('.sum').textContent")
    browser.js(f"{form}.elements.share0.value = 150; {form}.dispatchEvent(new Event('input', {{bubbles: true}}))")
    assert re.search(r"150 % · \S", browser.js(f"{form}.querySelector('output').value"))
    said = browser.js(f"{form}.querySelector('.sum').textContent")
    assert re.search(r"\+\S+\sk against business as usual", said), said
    send(browser, form, periods="4")
    assert "Chance of more profit" in browser.js("document.querySelector('#scenario').innerText")
    send(browser, "document.querySelector('#scenario form[action=\"/plan/record\"]')", name="more & <b>more")
    assert browser.js("document.querySelector('h1').textContent") == "more & <b>more"
    for step, state in (("submit", "submitted"), ("approve", "approved"), ("commit", "committed")):
        steps = f"[...document.forms].find(f => f.elements.step?.value === '{step}')"
        if step == "approve":
            browser.js(f"{steps}.elements.self_approve.checked = true")
        send(browser, steps)
        assert browser.js("document.querySelector('.fact .value').textContent") == state
    told = Study.open(served.folder).plans.find("more & <b>more").told
    assert told["of"] == "scenario"
    assert told["spend"][name] > 0

    browser.click("#next a.button")
    record = "document.querySelector('form[action=\"/decisions/add\"]')"
    assert browser.js(f"{record}.elements.what.value") == "Spend by the plan more & <b>more"
    browser.js(f"{record}.elements.high.value = ''")
    browser.type("#decision-metric", ", all of it")
    browser.until(f"{record}.querySelector('.checked').textContent.includes('At most')")
    profit = told["promised"]["profit_change"]
    send(browser, record, high=f"{profit['high'] + 1:.0f}", review="2026-01-31")
    browser.until("document.body.innerText.includes('it is due')")
    assert browser.js("document.querySelector('#basis').innerText").count("more & <b>more") == 1
    browser.go(f"{served.url}/")
    browser.click("#attention a[href*='/decision?']")
    send(browser, "document.querySelector('form[action=\"/decision/score\"]')", actual=f"{profit['high'] + 1e9:.0f}")
    assert "above" in browser.js("document.querySelector('#state').innerText")
    browser.go(f"{served.url}/decisions")
    assert "0 of 1" in browser.js("document.querySelector('#foresight').innerText")
    assert browser.js("document.querySelectorAll('#foresight .canvas svg').length") == 1

    where = browser.js("document.querySelector('#plans tbody a').getAttribute('href')")
    for width, dark in ((1280, True), (390, False)):
        browser.size(width, 900, dark=dark)
        for path in ("/decisions", "/decision?id=decision-1", where, "/next-tests", "/plan?share0=150&periods=4"):
            browser.go(served.url + path)
            assert fits(browser), (path, width)
            overlong = "[...document.querySelectorAll('main h1, main .fact, main .button')]"
            assert browser.js(f"{overlong}.every(e => e.getBoundingClientRect().right <= innerWidth + 1)"), (
                path,
                width,
            )
    assert browser.console == []
