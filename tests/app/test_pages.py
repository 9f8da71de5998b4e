"""Pages of a fitted study and of a bare one: they answer, say what is known, and lead to each other."""

import re
import time
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest
from markupsafe import escape
from starlette.testclient import TestClient

from tests.app.conftest import worked_out
from theodolite.app.shell import MENU
from theodolite.study import Study

Serve = Callable[..., TestClient]
MENU_PAGES = [path for _, path, _ in MENU]


class Page(HTMLParser):
    """Links, forms, ids and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[str] = []
        self.actions: list[str] = []
        self.ids: list[str] = []
        self.loads: list[str] = []
        self.inline: list[str] = []
        self.fields: list[str] = []
        self.labels: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        elif tag == "form" and found.get("method") != "dialog":
            self.actions.append(found["action"])
        elif tag in ("script", "link", "img") and (found.get("src") or found.get("href")):
            self.loads.append(found.get("src") or found["href"])
        elif tag == "script" and found.get("type") != "application/json":
            self.inline.append("script")
        if tag in ("input", "select", "textarea") and found.get("type") != "hidden":
            self.fields.append(found["id"])
        if tag == "label":
            self.labels.append(found["for"])
        self.inline += [name for name in found if name == "style" or name.startswith("on")]


@pytest.fixture(scope="module")
def reader(served_folder: Path) -> TestClient:
    """The fitted study, only read."""
    from tests.app.conftest import BASE, TOKEN
    from theodolite.app.application import create
    from theodolite.app.settings import Settings

    app = create(Settings(served_folder, token=TOKEN), warm=False)
    return TestClient(app, base_url=BASE, headers={"authorization": f"Bearer {TOKEN}"})


def test_every_page_of_a_bare_study_answers_and_says_what_to_do(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    for path in MENU_PAGES:
        answer = client.get(path)
        assert answer.status_code == 200, (path, answer.text[-500:])
    assert "Fit the model first" in client.get("/").text
    assert "no user journeys" in client.get("/attribution").text
    assert "No tests yet" in client.get("/experiments").text
    assert not (empty / ".theodolite").exists(), "reading writes nothing"


def test_every_link_of_every_page_leads_somewhere(reader: TestClient) -> None:
    waiting, seen = list(MENU_PAGES), set()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = reader.get(path)
        assert answer.status_code == 200, (path, answer.text[-800:])
        page = Page(answer.text)
        assert page.inline == [], (path, "nothing inline: the policy would stop it")
        assert sorted(set(page.ids)) == sorted(page.ids), (path, [i for i in page.ids if page.ids.count(i) > 1])
        assert set(page.fields) <= set(page.labels), (path, "every field has a label")
        for place in page.loads:
            assert place.startswith("/static/"), place
            assert reader.get(place).status_code == 200
        for link in page.links:
            if link.startswith("data:text/csv"):
                continue
            where, _, anchor = link.partition("#")
            assert not where or urljoin("http://x/", where).startswith("http://x/"), link
            if not where:
                assert anchor in page.ids, (path, link)
            elif where not in seen:
                waiting.append(where)
    assert {"/channel?name=tv", "/channel?name=brand_search"} <= seen
    assert any(path.startswith("/experiment?id=") for path in seen)


def test_the_overview_shows_the_unified_numbers(reader: TestClient, served_folder: Path) -> None:
    view = Study.open(served_folder).view()
    text = reader.get("/").text
    for channel in view.channels:
        assert str(escape(channel.channel)) in text
        assert channel.iroas is None or f"{channel.iroas.median:.2f}" in text
    assert "This is the first unified view" in text


def test_a_second_view_is_held_against_the_first(folder: Path, client_of: Serve) -> None:
    Study.open(folder).reconcile(start="2023-01-01", end=str(Study.open(folder).panel.dates[60])[:10])
    text = client_of(folder).get("/").text
    assert "This is the first unified view" not in text
    assert "earlier 90" in text


def test_a_channel_or_test_that_there_is_not_is_an_answer_in_words(reader: TestClient) -> None:
    answer = reader.get("/channel?name=tvv")
    assert answer.status_code == 422
    assert "did you mean" in answer.text
    assert reader.get("/experiment?id=%3Cb%3E").status_code == 422
    assert "<b>" not in reader.get("/experiment?id=%3Cb%3E").text
    assert reader.get("/nowhere").status_code == 404


def test_changed_data_withhold_the_numbers_and_say_so(folder: Path, client_of: Serve) -> None:
    client = client_of(folder)
    assert "Unified iROAS" in client.get("/").text
    media = folder / "tables" / "media.csv"
    text = (folder / "theodolite.toml").read_text()
    (folder / "theodolite.toml").write_text(re.sub(r'media = ".*"', 'media = "tables/media.csv"', text))
    lines = media.read_text().splitlines()
    fields = lines[1].split(",")
    fields[-1] = str(float(fields[-1]) + 1000.0)
    media.write_text("\n".join([lines[0], ",".join(fields), *lines[2:]]) + "\n")
    changed = client.get("/").text
    assert "have changed since the last fit" in changed
    assert "Unified iROAS" not in changed


def test_broken_data_are_an_answer_in_words_and_the_data_page_says_where(empty: Path, client_of: Serve) -> None:
    client = client_of(empty)
    text = (empty / "theodolite.toml").read_text()
    (empty / "theodolite.toml").write_text(re.sub(r'media = ".*"', 'media = "tables/media.csv"', text))
    media = empty / "tables" / "media.csv"
    media.write_text(media.read_text().replace("tv,", "tv,oops", 1))
    seen = client.get("/data")
    assert seen.status_code == 200
    assert "oops" in seen.text
    assert client.get("/experiments").status_code in (200, 422)
    (empty / "theodolite.toml").write_text("[study]\nname = 3\n")
    assert client.get("/").status_code == 422
    (empty / "theodolite.toml").write_text(text)
    assert client.get("/").status_code == 200


def test_pages_are_quick_once_the_study_is_loaded(reader: TestClient) -> None:
    for path in MENU_PAGES:
        reader.get(path)
    took = {}
    for path in MENU_PAGES:
        times = []
        for _ in range(3):
            started = time.process_time()  # whatever else the machine does
            reader.get(path)
            times.append(time.process_time() - started)
        took[path] = min(times)
    assert max(took.values()) < 0.2, took


def test_a_test_that_is_planned_changes_no_number_and_costs_no_page_its_charts(folder: Path, client_of: Serve) -> None:
    client, study = client_of(folder), Study.open(folder)
    day = str(study.panel.dates[-1])[:10]
    shown = {path: worked_out(client, path) for path in MENU_PAGES}
    took: dict[str, list[float]] = {path: [] for path in MENU_PAGES}
    for name in ("one", "two", "three"):
        plan = {"experiment_id": name, "channel": "tv", "method": "on_off", "start_date": day, "end_date": "2099-12-31"}
        study.registry.register(plan)
        for path in MENU_PAGES:
            started = time.process_time()
            page = client.get(path).text
            took[path].append(time.process_time() - started)
            charts = re.compile(r'<script type="application/json"[^>]*>.*?</script>', re.DOTALL)
            assert charts.findall(page) == charts.findall(shown[path]), path
    assert {path: min(each) for path, each in took.items() if min(each) > 0.2} == {}
    assert "three" in client.get("/experiments").text
    own = client.get("/channel?name=tv").text
    assert own.count("Test on its way") == 1
    assert "/experiment?id=three" in own
    assert "Test on its way" not in client.get("/channel?name=brand_search").text


def test_the_registry_is_a_board_a_list_and_a_calendar(reader: TestClient, served_folder: Path) -> None:
    (name,) = [test.experiment_id for test in Study.open(served_folder).registry.list()]
    for shown in ("board", "list", "calendar"):
        answer = reader.get("/experiments", params={"show": shown})
        assert answer.status_code == 200
        assert name in answer.text
    assert "What became of the tests" in reader.get("/experiments?show=list").text
    assert "did you mean" in reader.get("/experiments?show=bord").text


def test_who_may_only_look_is_told_who_begins_the_work(empty: Path, client_of: Callable[..., TestClient]) -> None:
    viewer = client_of(empty, Study.open(empty).keys.add("vera", "viewer")[1])
    for path in ("/", "/channel", "/plan", "/model", "/jobs"):
        page = viewer.get(path).text
        assert "Somebody with the role editor begins" in page, path
        assert 'action="/jobs"' not in page, path
    assert "but for the missing numbers" in viewer.get("/").text


def test_a_test_from_elsewhere_does_not_wait_for_an_approval_here(folder: Path, client: TestClient) -> None:
    (name,) = [test.experiment_id for test in Study.open(folder).experiments()]
    page = client.get(f"/experiment?id={name}").text
    assert "as its record states it: it was measured elsewhere" in page
    assert "it is locked when somebody approves it" not in page
