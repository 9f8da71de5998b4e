"""Every page for everybody: by keys alone, in words that can be read, with fields that say what they ask for."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from measurement.store import utc_now
from tests.app.browser import CHROMIUM, Browser
from tests.app.conftest import HOSTILE, TOKEN, Served, serving
from tests.app.test_whole_life import PLAN, company
from theodolite import results
from theodolite.app.pages.ask import channel_link, plan_link
from theodolite.study import Study

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
SCRIPT = (Path(__file__).parent / "access.js").read_text("utf-8")
PAGES = (
    "/",
    "/channel",
    channel_link("tv"),
    channel_link(HOSTILE),
    "/experiments",
    "/experiments?show=list",
    "/experiments?show=calendar",
    "/experiments/design",
    "/experiments/record",
    "/experiments/register",
    "/experiment?id=planned",
    "/experiment?id=handed-in",
    "/experiment?id=READ",
    "/plan?periods=4",
    plan_link("autumn"),
    "/next-tests",
    "/attribution",
    "/model",
    "/decisions",
    "/decision?id=decision-1",
    "/decision?id=decision-2",
    "/data",
    "/jobs",
    "/nowhere",
    "/signed-out",
)
EMPTY = ("/", "/channel", "/experiments", "/plan", "/attribution", "/model", "/decisions", "/jobs")
MOST = 600
"""Steps within which Tab has come to the end of every page."""


def lived_in(folder: Path) -> None:
    """Tests planned, handed in and read; one that contradicts the model; a plan; decisions, one of them scored."""
    study = Study.open(folder)
    fitted, view = study.fitted(), study.view()
    judged = replace(fitted.conflicts[0], p=0.0004, panel_p=None, verdict="conflict")
    results.save_fit(study.store, replace(fitted, conflicts=(judged,)), "local")
    withheld = {"iroas": None, "mroas": None, "state": "conflict, withheld", "reason": judged.in_words()}
    channels = tuple(replace(c, **withheld) if c.channel == judged.channels[0] else c for c in view.channels)
    results.save_view(study.store, replace(view, channels=channels), "local")
    ahead = utc_now().date() + timedelta(30)
    for name in ("planned", "handed-in"):
        days = {"start_date": str(ahead), "end_date": str(ahead + timedelta(27))}
        study.registry.register({"experiment_id": name, "channel": "tv", "method": "on_off"} | days)
        ahead += timedelta(90)
    study.registry.submit("handed-in")
    study.plans.record("autumn", study.forecast(4))
    told = {"metric": "revenue, EUR", "expected": {"median": 2.0, "low": 1.0, "high": 3.0}, "review": "2026-01-31"}
    for what in ("More radio", "Less of it"):
        study.decisions.add({"what": what, "channels": ["tv"], **told})
    study.decisions.score("decision-2", {"actual": 4.0, "note": "a cold spring"})


def known_test(folder: Path) -> str:
    """The test that the study was made with."""
    return next((test.experiment_id for test in Study.open(folder).registry.list() if test.versions), "")


@pytest.fixture(scope="module")
def served(served_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = Path(shutil.copytree(served_folder, tmp_path_factory.mktemp("walked") / "acme"))
    lived_in(folder)
    yield from serving(folder)


@pytest.fixture(scope="module")
def served_empty(bare_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    yield from serving(Path(shutil.copytree(bare_folder, tmp_path_factory.mktemp("walked") / "bare")))


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("walking") / "profile") as opened:
        yield opened


def walk(browser: Browser) -> list[str]:
    """Go through a page by Tab as far as it goes, open what is folded by Enter, and say what was found wanting."""
    browser.js(SCRIPT)
    browser.js("access.watch()")
    reached = 0
    while reached < MOST:
        browser.press("Tab")
        match browser.js("access.arrived()"):
            case "end":
                return list(browser.js("access.wanting()"))
            case "closed":
                browser.press("Enter")
                browser.until("document.activeElement.parentElement.open")
                browser.settled()
        reached += 1
    raise AssertionError("Tab never comes to the end")


def looked_at(browser: Browser) -> list[str]:
    """What is wrong with the page as it stands, light and dark, wide and narrow."""
    found = list(browser.js("[...access.structure(), ...access.width(), ...access.contrast()]"))
    browser.size(1280, 900, dark=True)
    found += [f"dark: {words}" for words in browser.js("access.contrast()")]
    browser.size(390, 844)
    browser.settled()
    found += [f"narrow: {words}" for words in browser.js("[...access.width(), ...access.targets()]")]
    browser.size(1280, 900)
    return found


def test_every_page_is_walked_by_keys_and_can_be_read(served: Served, served_empty: Served, browser: Browser) -> None:
    wanting = []
    for server, paths in ((served, PAGES), (served_empty, EMPTY)):
        read = known_test(server.folder)
        browser.go(f"{server.url}/?token={TOKEN}")
        for path in paths:
            browser.go(server.url + path.replace("READ", read))
            wanting += [f"{server.folder.name}{path}: {words}" for words in (*walk(browser), *looked_at(browser))]
    assert not wanting, "\n".join(wanting)


def test_on_a_telephone_nothing_covers_where_the_keyboard_is(served: Served, browser: Browser) -> None:
    browser.size(390, 844)
    browser.go(f"{served.url}/?token={TOKEN}")
    for path in ("/experiments?show=list", "/decisions"):
        browser.go(served.url + path)
        assert walk(browser) == [], path
    browser.size(1280, 900)


FAULTS = """
<a href=/x data-style="outline:none">unseen</a><p data-style="color:#999">faint</p>
<a href=/y data-style="position:absolute;left:-5000px">away</a><div data-style="width:3000px">wide</div>
<div data-style="overflow:auto;height:40px"><p data-style="height:100px">more</p></div>
<input name=q><h5>deep</h5><div id=content></div><table><tr><td>x</td></tr></table>
<p data-style="display:flex;font-size:8px"><a href=/1>1</a><a href=/2>2</a></p>
"""


def test_what_is_wrong_is_found(served_empty: Served, browser: Browser) -> None:
    browser.go(f"{served_empty.url}/jobs?token={TOKEN}")
    browser.js(f"document.querySelector('main').insertAdjacentHTML('beforeend', {json.dumps(FAULTS)})")
    browser.js("for (const e of document.querySelectorAll('[data-style]')) e.style.cssText = e.dataset.style")
    found = walk(browser) + looked_at(browser)
    for words in (
        "keyboard is at <a> unseen",
        "out of sight: <a> away",
        "of <p> faint",
        "wider than the screen",
        "no key gets there: <div> more",
        "a field without a label",
        "h5 after h2",
        "id twice: content",
        "a table whose heads",
        "small for a finger",
    ):
        assert any(words in line for line in found), (words, found)


# -- flows by keys alone ----------------------------------------------------------------------------------------------


def at(browser: Browser, selector: str) -> None:
    """Go on by Tab until the keyboard is at something; folds on the way that hold it are opened by Enter."""
    wanted = json.dumps(selector)
    for _ in range(MOST):
        browser.press("Tab")
        if browser.js(f"document.activeElement.matches({wanted})"):
            return
        if browser.js(
            f"document.activeElement.matches('summary') && !document.activeElement.parentElement.open"
            f" && document.activeElement.parentElement.querySelector({wanted}) !== null"
        ):
            browser.press("Enter")
    raise AssertionError(f"Tab never comes to {selector}")


def test_a_dialog_takes_the_keyboard_keeps_it_and_gives_it_back(served: Served, browser: Browser) -> None:
    browser.go(f"{served.url}/experiment?id=handed-in&token={TOKEN}")
    at(browser, "#approve-self_approve")
    browser.press(" ")
    assert browser.js("document.activeElement.checked"), "Space ticks it"
    at(browser, "button")
    asks = "document.querySelector('dialog')"
    for leave in ("Escape", "Enter"):
        browser.press("Enter")
        browser.until(f"{asks}.open && {asks}.contains(document.activeElement)")
        assert browser.js("document.activeElement.value") == "no", "who presses Enter twice has done nothing"
        for _ in range(5):
            browser.press("Tab")
            assert browser.js(f"document.activeElement === document.body || {asks}.contains(document.activeElement)")
        browser.js(f"{asks}.querySelector('[value=no]').focus()")
        browser.press(leave)
        browser.until(f"!{asks}.open && document.activeElement.form?.elements.step.value === 'approve'")
    assert Study.open(served.folder).registry.get("handed-in").state == "in_review"


def test_sliders_move_by_arrows_and_say_where_they_are(served: Served, browser: Browser) -> None:
    browser.go(f"{served.url}/plan?periods=4&token={TOKEN}")
    at(browser, "input[type=range]")
    said = "document.activeElement.parentElement.querySelector('output').value"
    before, shown = browser.js("Number(document.activeElement.value)"), browser.js(said)
    browser.press("ArrowRight")
    step = browser.js("Number(document.activeElement.step)")
    assert browser.js("Number(document.activeElement.value)") == before + step
    assert browser.js(said) != shown


def typed(browser: Browser, text: str) -> None:
    """Type digits, as into a date."""
    for digit in text:
        browser.call("Input.dispatchKeyEvent", type="keyDown", key=digit, text=digit)
        browser.call("Input.dispatchKeyEvent", type="keyUp", key=digit)


def tick(browser: Browser, field: str, label: str) -> None:
    """Go to one of several boxes by Tab, and tick it by Space."""
    boxes = f"[...document.querySelectorAll('[name={field}]')]"
    browser.js(f"{boxes}.find(e => e.parentElement.textContent.trim() === {json.dumps(label)}).className = 'wanted'")
    at(browser, ".wanted")
    browser.press(" ")
    assert browser.js("document.activeElement.checked")
    browser.js("document.activeElement.className = ''")


def pressed(browser: Browser, selector: str, state: str) -> None:
    """Go to a button by Tab, press it, say yes where that is asked, and wait until the test stands where it should."""
    at(browser, selector)
    asks = browser.js("'confirm' in document.activeElement.form.dataset")
    browser.press("Enter")
    if asks:
        browser.until("document.querySelector('dialog').open")
        at(browser, "dialog [value=yes]")
        browser.press("Enter")
    there = f"document.querySelector('.fact .value')?.textContent === '{state}'"
    browser.until(f"{there} && !document.querySelector('[data-poll]')")  # a job that ends reads the page again
    browser.settled()


def test_a_test_goes_from_its_form_to_evidence_by_keys_alone(tmp_path: Path, browser: Browser) -> None:
    study = company(tmp_path / "acme")
    for server in serving(study.folder):
        browser.go(f"{server.url}/experiments?token={TOKEN}")
        at(browser, "main a[href='/experiments/register']")
        browser.leaving(lambda: browser.press("Enter"))
        at(browser, "#plan-experiment_id")
        browser.call("Input.insertText", text=PLAN["experiment_id"])
        tick(browser, "channel", "tv")
        for field in ("start_date", "end_date"):
            at(browser, f"#plan-{field}")
            year, month, day = PLAN[field].split("-")
            typed(browser, month + day + year)
        for field in ("treatment_geos", "control_geos"):
            for geo in PLAN[field]:
                tick(browser, field, geo)
        at(browser, "form[action='/experiments/register'] .buttons button")
        browser.press("Enter")
        browser.until("document.querySelector('.fact .value')?.textContent === 'draft'")
        step = "form:has([name=step][value={}]) > .buttons button"
        pressed(browser, step.format("submit"), "in review")
        at(browser, "#approve-self_approve")
        browser.press(" ")
        pressed(browser, step.format("approve"), "approved")
        pressed(browser, step.format("start"), "running")
        pressed(browser, step.format("complete"), "completed")
        pressed(browser, "form:has([name=kind][value=analyse]) > .buttons button", "analysed")
        pressed(browser, step.format("accept"), "accepted")
    assert study.registry.get("tv-2024").state == "accepted"
