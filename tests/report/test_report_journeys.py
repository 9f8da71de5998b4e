"""What the report says of journeys, of calibrated credit and of the audit."""

import pandas as pd
import pytest

from attribution import attribute, read_paths
from attribution.auditing import audit
from calibration.calibrated_credit import BASELINE, CalibratedCredit
from calibration.credit_factors import TestedCredit, factors
from theodolite.report.journeys import Journeys, calibrated_table, checks, sections
from theodolite.report.page import ChartBlock, Fold, Page, Points, TableBlock, plain
from theodolite.report.render import render

HOSTILE = "</script><b>x"


@pytest.fixture(scope="module")
def parts():
    rows = []
    for n in range(120):
        day = pd.Timestamp("2025-01-01") + pd.Timedelta(days=n % 50, hours=3)
        rows += [(f"u{n}", day, HOSTILE, "click"), (f"u{n}", day + pd.Timedelta(days=9), "search", "click")]
        rows += [(f"u{n}", day + pd.Timedelta(days=10), None, "conversion")] if n % 3 == 0 else []
    log = pd.DataFrame(rows, columns=["user_id", "timestamp", "channel", "event"])
    paths = read_paths(log)
    return paths, attribute(paths, ["linear", "markov:1"]), audit(log, spend={"tv": 5.0}, losses=(0.2,))


@pytest.fixture(scope="module")
def journeys(parts):
    paths, run, found = parts
    test = TestedCredit("search-dark", "search", -5.0, 1.0, 0.05, -10.0)
    scaled = CalibratedCredit.of(run, factors([test], dict.fromkeys(run.channels, "no")), "markov:1")
    return Journeys.of(paths, run, found, scaled)


def test_the_section_on_journeys(journeys):
    (section,) = sections(journeys)
    files = [block.file for block in section.blocks if isinstance(block, ChartBlock)]
    assert files == ["journey-flows.csv", "journey-paths.csv", "journey-lengths.csv", "journey-lags.csv"]
    assert isinstance(section.blocks[-1], Fold)
    assert "0 % have a single one" in plain(section.lead).replace("\u00a0", " ")
    assert sections(None) == checks(None) == calibrated_table(None) == ()


def test_calibrated_credit_ends_with_the_baseline(journeys):
    (table,) = calibrated_table(journeys)
    assert isinstance(table, TableBlock)
    assert table.rows[-1][0].text == BASELINE
    search = next(row for row in table.rows if row[0].text == "search")
    assert search[2].value == pytest.approx(0.5, abs=0.1)
    assert search[4].text == "search-dark"


def test_the_audit_in_words_and_by_window(journeys):
    (section,) = checks(journeys)
    points, chart = section.blocks
    assert isinstance(points, Points)
    assert any("'tv'" in plain(item) for item in points.items)
    assert isinstance(chart, ChartBlock)
    assert chart.file == "lookbacks.csv"


def test_an_audit_of_other_paths_is_not_shown(parts, journeys):
    paths, run, found = parts
    other = audit(pd.DataFrame({"path": ["a > b"], "conversions": [2.0], "nulls": [1.0]}))
    (section,) = checks(Journeys.of(paths, run, other, None))
    assert "theodolite attribution audit" in plain(section.lead)
    assert section.blocks == ()
    assert Journeys.of(paths, run, found, None).audit is found


def test_names_stay_text(journeys):
    text = render(Page(title="t", sections=(*sections(journeys), *checks(journeys))))
    assert HOSTILE not in text
    assert len(text) < 1_600_000
