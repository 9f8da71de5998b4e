"""The app in a real browser: every page at two widths, light and dark; the main flows; hostile names; nothing sent."""

import base64
import csv
import io
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from measurement.simulate import national, simulate
from tests.app.browser import CHROMIUM, Browser
from tests.app.conftest import HOSTILE as HOSTILE_CHANNEL
from tests.app.conftest import TOKEN, Served, serving
from theodolite.app.shell import MENU
from theodolite.study import Study
from theodolite.workspace import Settings as Named
from theodolite.workspace import initialise

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
HOSTILE = ["<img src=x onerror=document.title='gone'>", "=1+1", "</script><b>x", "قناة 📺 a&b"]


@pytest.fixture(scope="module")
def served(served_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The fitted study, copied, served on a port of its own."""
    yield from serving(Path(shutil.copytree(served_folder, tmp_path_factory.mktemp("browsed") / "acme")))


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    with Browser(tmp_path / "profile") as opened:
        yield opened


def fits(browser: Browser) -> bool:
    """Whether nothing hangs over the right edge."""
    return bool(browser.js("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_every_page_is_drawn_and_nothing_is_asked_of_anyone_else(served: Served, browser: Browser) -> None:
    browser.go(f"{served.url}/?token={TOKEN}")
    assert "token" not in browser.js("location.href")
    assert browser.js("document.cookie") == "", "no script can read the cookie"
    pages = [path for _, path, _ in MENU] + ["/channel?name=tv", "/plan?share0=150"]
    for width, dark in ((1280, False), (390, True)):
        browser.size(width, 900, dark=dark)
        for path in pages:
            browser.go(served.url + path)
            assert fits(browser), (path, width)
            undrawn = "[...document.querySelectorAll('.canvas')].filter(e => e.clientWidth && !e.querySelector('svg'))"
            assert browser.js(f"{undrawn}.length") == 0, path
            lightness = browser.js("getComputedStyle(document.body).backgroundColor")
            numbers = [int(found) for found in re.findall(r"\d+", lightness)[:3]]
            assert (sum(numbers) < 200) is dark, (path, lightness)
    assert browser.console == []
    assert all(url.startswith((served.url, "data:")) for url in browser.requested if not url.startswith("about:"))


def test_the_keyboard_reaches_the_content_and_shows_where_it_is(served: Served, browser: Browser) -> None:
    browser.go(f"{served.url}/?token={TOKEN}")
    browser.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    browser.until("document.activeElement.className === 'skip'")
    browser.until("document.activeElement.getBoundingClientRect().left >= 0")  # it can be seen


def test_light_and_dark_are_chosen_kept_in_this_browser_and_not_printed(served: Served, browser: Browser) -> None:
    def lightness() -> int:
        return sum(
            int(n) for n in re.findall(r"\d+", browser.js("getComputedStyle(document.body).backgroundColor"))[:3]
        )

    browser.go(f"{served.url}/data?token={TOKEN}")
    assert lightness() > 600
    browser.js("document.querySelector('[data-choose-theme=dark]').click()")
    assert lightness() < 200
    browser.go(f"{served.url}/jobs")
    assert lightness() < 200, "the next page keeps it"
    assert browser.js("document.querySelector('[data-choose-theme=dark]').ariaPressed") == "true"
    browser.call("Emulation.setEmulatedMedia", media="print")
    assert browser.js("getComputedStyle(document.body).getPropertyValue('color-scheme')") == "light"
    browser.call("Emulation.setEmulatedMedia", media="")
    browser.js("document.querySelector('[data-choose-theme=system]').click()")
    assert lightness() > 600


def test_what_cannot_be_taken_back_is_asked_again_in_a_dialog(served: Served, browser: Browser) -> None:
    browser.go(f"{served.url}/jobs?token={TOKEN}")
    form = "<form method=post action=/job/cancel data-confirm='Sure & certain?'><button>Stop</button></form>"
    browser.js(f"document.querySelector('main').insertAdjacentHTML('beforeend', {form!r})")
    stop = "document.querySelector('main form[data-confirm] button').click()"
    browser.js(stop)
    assert browser.js("document.querySelector('dialog').open")
    assert browser.js("document.querySelector('dialog p').textContent") == "Sure & certain?"
    for kind in ("keyDown", "keyUp"):
        browser.call("Input.dispatchKeyEvent", type=kind, key="Escape", code="Escape", windowsVirtualKeyCode=27)
    browser.until("!document.querySelector('dialog').open")
    assert browser.js("location.pathname") == "/jobs", "nothing was sent"
    browser.js(stop)
    browser.js("document.querySelector('dialog [value=yes]').click()")
    browser.until("location.pathname === '/job/cancel'")


def test_a_goal_is_checked_while_it_is_typed_and_a_design_becomes_a_test_that_is_approved(
    served: Served, browser: Browser
) -> None:
    browser.go(f"{served.url}/experiments/design?token={TOKEN}")
    browser.type("#design-geos", "x")
    browser.until("document.querySelector('[data-field=geos] .error')?.textContent.includes('range')")
    assert browser.js("document.querySelectorAll('.field .error').length") == 1, "untouched fields are left alone"
    assert browser.js("document.querySelector('#design-geos').getAttribute('aria-invalid')") == "true"
    browser.go(f"{served.url}/experiments/record")
    browser.js("document.querySelector('#several details').open = true")
    record = (
        '{"experiment_id": "typed", "channel": "tv", "method": "on_off", "start_date": "2024-01-01",'
        ' "end_date": "2024-01-28", "estimand": "iroas", "estimate": 1.5, "std_error": 0.5, "spend_delta": -1000,'
        ' "off_panel": true, "counterfactual_spend": 1000}'
    )
    browser.type("#import-records", record)
    browser.until("document.querySelector('form[data-check*=import] .checked').textContent.includes('typed')")
    browser.click("form[action='/experiments/import'] button")
    browser.until("[...document.querySelectorAll('.card a')].some(a => a.textContent === 'typed')")
    Study.open(served.folder).registry.register(
        {
            "experiment_id": "plan",
            "channel": "tv",
            "method": "on_off",
            "start_date": "2024-01-01",
            "end_date": "2024-02-25",
        }
    )
    for step, state in (("submit", "in review"), ("approve", "approved"), ("start", "running")):
        browser.go(f"{served.url}/experiment?id=plan")
        if step == "approve":
            browser.js("document.querySelector('#approve-self_approve').checked = true")
        form = f"[...document.forms].find(f => f.elements.step?.value === '{step}')"
        browser.js(f"{form}.requestSubmit()")
        if step == "approve":
            browser.until("document.querySelector('dialog').open")
            browser.js("document.querySelector('dialog [value=yes]').click()")
        browser.until(f"document.querySelector('.fact .value')?.textContent === '{state}'")
    assert Study.open(served.folder).registry.get("plan").state == "running"


def test_a_job_shows_how_far_it_is_survives_a_reload_and_changes_the_page_when_it_ends(
    served: Served, browser: Browser
) -> None:
    browser.go(f"{served.url}/?token={TOKEN}")
    before = len(Study.open(served.folder).views(99))
    browser.click(".title .buttons button")
    browser.go(f"{served.url}/data")
    browser.go(f"{served.url}/")
    browser.until("!document.querySelector('[data-poll]')")
    assert len(Study.open(served.folder).views(99)) == before + 1
    assert "This is the first unified view" not in browser.js("document.body.innerText")


def test_a_hostile_channel_is_text_on_every_page_in_charts_tables_and_the_report(
    served: Served, browser: Browser, tmp_path: Path
) -> None:
    report = Study.open(served.folder).report(tmp_path / "report.html")
    browser.go(f"{served.url}/?token={TOKEN}")
    kept = set()
    pages = ["/", "/channel", f"/channel?name={quote(HOSTILE_CHANNEL)}", "/plan", "/attribution", "/model", "/data"]
    for url in (*(served.url + path for path in (*pages, "/experiments/register")), report.as_uri()):
        browser.go(url)
        browser.js("for (const fold of document.querySelectorAll('details')) fold.open = true")
        browser.settled()
        assert HOSTILE_CHANNEL in browser.js("document.body.innerText"), url
        assert browser.js("document.querySelectorAll('img').length") == 0, url
        assert "gone" not in browser.js("document.title").replace(HOSTILE_CHANNEL, ""), url
        drawn = browser.js("[...document.querySelectorAll('.canvas svg text, .canvas [aria-label]')].length")
        assert drawn > 0 or "register" in url, url
        links = browser.js("[...document.querySelectorAll('a[download]')].map(a => a.href)")
        texts = [base64.b64decode(link.partition(",")[2]).decode("utf-8-sig") for link in links]
        cells = {cell for text in texts for row in csv.reader(io.StringIO(text)) for cell in row}
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))], "no spreadsheet runs anything"
        kept |= cells
    assert f"'{HOSTILE_CHANNEL}" in kept
    assert browser.console == []


def test_what_is_chosen_in_a_box_can_be_read_on_a_telephone(served: Served, browser: Browser) -> None:
    browser.size(390, 900)
    browser.go(f"{served.url}/?token={TOKEN}")
    cut = """(() => {
        const pen = document.createElement('canvas').getContext('2d'), cut = [];
        for (const box of document.querySelectorAll('select')) {
            for (let at = box; at; at = at.parentElement) if (at.matches('details')) at.open = true;
            const look = getComputedStyle(box), arrow = 22;
            pen.font = look.font;
            const room = box.clientWidth - parseFloat(look.paddingLeft) - parseFloat(look.paddingRight) - arrow;
            for (const option of box.options)
                if (box.name !== 'plan' && pen.measureText(option.text).width > room) cut.push(option.text);
        }
        return cut;
    })()"""
    name = next(test.experiment_id for test in Study.open(served.folder).registry.list() if test.versions)
    for path in (
        "/experiments/register",
        "/experiments/record",
        "/experiments/design",
        "/plan",
        "/model",
        "/decisions",
    ):
        browser.go(served.url + path)
        assert browser.js("document.querySelectorAll('select').length") > 0, path
        assert browser.js(cut) == [], path
    browser.go(f"{served.url}/experiment?id={quote(name)}")
    assert browser.js(cut) == []


def test_names_are_shown_as_they_are(tmp_path: Path, browser: Browser) -> None:
    folder = tmp_path / "hostile"
    world = simulate(national(weeks=60, channels=tuple(HOSTILE), seed=3))
    world.write(folder / "tables")
    media, outcome = str(folder / "tables" / "media.csv"), str(folder / "tables" / "outcome.csv")
    initialise(folder, media, outcome, None, {}, Named(name=HOSTILE[0], kpi="revenue"))
    for server in serving(folder):
        browser.go(f"{server.url}/data?token={TOKEN}")
        text = browser.js("document.body.innerText")
        for name in HOSTILE:
            assert name in text
        assert "gone" not in browser.js("document.title").replace(HOSTILE[0], "")
        assert browser.js("document.querySelectorAll('img, b').length") == 0
        drawn = browser.js("[...document.querySelectorAll('.canvas svg text')].map(e => e.textContent)")
        assert HOSTILE[1] in drawn
        browser.go(f"{server.url}/experiments/design")
        options = browser.js("[...document.querySelectorAll('[data-field=channel] bdi')].map(e => e.textContent)")
        assert sorted(options) == sorted(HOSTILE)
    assert browser.console == []
