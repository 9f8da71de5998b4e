"""The page of one experiment, for every kind of test: sections, numbers, names, charts that draw in a browser."""

import json
import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from experiments import Experiment, analyse
from experiments.records import Assignment
from experiments.switchback.schedule import make_schedule
from experiments.user_level import analyse_users, read_users
from measurement import Panel
from theodolite.report.experiment import About, Dossier, compose, file_name, write
from theodolite.report.page import ChartBlock, Fold, Page, Section
from theodolite.report.render import render

HOSTILE = "<img src=x onerror=alert(1)>"
START = date(2024, 1, 1)


def panel_of(outcome: np.ndarray, kpi: str = "sales") -> Panel:
    geos, days = outcome.shape
    return Panel(
        dates=np.datetime64(START) + np.arange(days),
        geos=(HOSTILE, *(f"g{row:02d}" for row in range(1, geos))),
        channels=(),
        spend=np.zeros((geos, days, 0)),
        exposure=np.zeros((geos, days, 0)),
        kpis={kpi: outcome},
        kpi=kpi,
        period="day",
    )


@pytest.fixture(scope="module")
def geo() -> Dossier:
    rng = np.random.default_rng(2)
    outcome = np.exp(rng.normal(5, 0.5, (16, 1))) * (1 + 0.03 * rng.normal(size=(16, 70)))
    outcome[0, 56:] *= 0.7
    panel = panel_of(outcome)
    test = Experiment(
        experiment_id="dark", channel=(HOSTILE,), method="go_dark", treatment_geos=(HOSTILE,), spend_delta=-500.0,
        start_date=START + timedelta(56), end_date=START + timedelta(65), cooldown_end_date=START + timedelta(69),
    )  # fmt: skip
    about = About(study="acme", currency="CHF", break_even=2.5, head="abc")
    return Dossier(test, panel, results=(analyse(panel, test),), about=about)


@pytest.fixture(scope="module")
def switched() -> Dossier:
    rng = np.random.default_rng(3)
    schedule = make_schedule(START + timedelta(28), 70, 7, burn_in=1, seed=1)
    panel = panel_of(1000 + 30 * rng.normal(size=(1, 98)))
    test = Experiment(
        experiment_id="switch", channel=("search",), method="switchback", schedule=schedule, burn_in=1,
        start_date=schedule[0].start, end_date=schedule[-1].end, assignment=Assignment(rule="pairs", seed=1),
        spend_delta=100.0,
    )  # fmt: skip
    return Dossier(test, panel, results=(analyse(panel, test),))


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Dossier:
    rng = np.random.default_rng(4)
    file = tmp_path_factory.mktemp("users") / "users.csv"
    rows = [
        f"u{i},{'treatment' if i % 2 else 'control'},2024-01-{1 + i % 20:02d},{rng.gamma(2.0, 3.0) + 0.5 * (i % 2):.3f}"
        for i in range(1200)
    ]
    file.write_text("user_id,arm,date,revenue\n" + "\n".join(rows) + "\n")
    test = Experiment(
        experiment_id="lift", channel=("social",), method="conversion_lift", allocation=0.5,
        start_date=date(2024, 1, 1), end_date=date(2024, 1, 20),
    )  # fmt: skip
    return Dossier(test, None, results=(analyse_users(read_users(file), test),))


def titles(page: Page) -> list[str]:
    return [section.title for section in page.sections]


def section(page: Page, name: str) -> Section:
    return next(each for each in page.sections if each.id == name)


def charts_of(page: Page) -> int:
    def within(blocks: tuple[object, ...]) -> int:
        return sum(
            isinstance(b, ChartBlock) or within(b.blocks) if isinstance(b, Fold | ChartBlock) else 0 for b in blocks
        )

    return sum(within(each.blocks) for each in page.sections)


def test_a_page_answers_first_and_checks_last(geo: Dossier) -> None:
    page = compose(geo)
    assert titles(page) == [
        "The question",
        "What came out",
        "The markets",
        "The calendar",
        "How it went",
        "How sure is it?",
        "Checks and grade",
        "How it was computed",
        "What made this page",
    ]
    assert page.meta["Store"] == "abc"


def test_the_numbers_are_those_of_the_result(geo: Dossier) -> None:
    result = geo.results[0]
    text = re.sub(r"<[^>]+>", " ", render(compose(geo)).split("<main")[1].split("<script")[0])
    assert f"{result.incremental_outcome.estimate:,.0f}" in text
    assert f"{result.p_value:.3f}" in text or "&lt; 0.001" in text
    assert "CHF" in text
    assert "break-even 2.50" in text
    ends = f"from {result.outcome_change.low:,.0f} to {result.outcome_change.high:,.0f}".replace("-", "−")
    assert ends in text


def test_a_cut_that_costs_sales_is_told_with_its_sign(geo: Dossier) -> None:
    result = geo.results[0]
    assert result.outcome_change.estimate < 0 < result.incremental_outcome.estimate
    lead = "".join(s if isinstance(s, str) else s.text for s in section(compose(geo), "result").lead)
    assert lead.startswith("The ads brought more than chance explains. Switching off ")
    assert "−" in lead


def test_every_kind_of_test_has_its_own_sections(switched: Dossier, users: Dossier) -> None:
    assert "The markets" not in titles(compose(switched))
    assert "How it went" in titles(compose(switched))
    assert "by lot" in json.dumps(str(section(compose(switched), "question").blocks))
    assert "How it went" not in titles(compose(users))
    assert "The arms" in titles(compose(users))


def test_names_are_shown_and_never_markup(geo: Dossier) -> None:
    html = render(compose(geo)).split("<main")[1].split("</main>")[0]
    assert "<img" not in html
    assert "&lt;img src=x onerror=alert(1)&gt;" in html


@pytest.mark.parametrize("kind", ["geo", "switched"])
def test_its_charts_are_drawn_in_a_browser(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path, browse: Callable[[Path], tuple[str, str]]
) -> None:
    dossier = request.getfixturevalue(kind)
    page = compose(dossier)
    document, console = browse(write(dossier, tmp_path / "page.html"))
    assert charts_of(page) >= 3
    drawn = re.findall(r'class="canvas[^"]*"', document)
    assert len(drawn) == charts_of(page)
    assert all("drawn" in each for each in drawn)
    assert "rror" not in console
    assert "Refused" not in console


def test_the_same_test_gives_the_same_page(geo: Dossier) -> None:
    assert render(compose(geo)) == render(compose(geo))


def test_every_id_has_a_file_name_of_its_own() -> None:
    assert file_name("tv-2024") == "tv-2024.html"
    names = [file_name(each) for each in ("a b", "a  b", "../a", "قناة", "", "x" * 300)]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_-]+\.html", name) and len(name) < 100 for name in names)
