"""The report's words and numbers, from material made by hand."""

import base64
import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from calibration.conflict import Conflict
from calibration.parts import Campaign, Tipping, Without
from calibration.parts import Cell as ViewCell
from calibration.quantity import Quantity
from calibration.track_record import Scored
from calibration.view import ChannelView, View
from experiments.records import Experiment
from measurement.errors import Problem
from measurement.model_frames import FitQuality, ModelFrames
from theodolite.report.compose import compose
from theodolite.report.csv_text import table_csv
from theodolite.report.material import Diagnosis, Material
from theodolite.report.page import ChartBlock, Fold, Page, Section, TableBlock
from theodolite.report.render import render, write_page

CHANNELS = ("tv", "search", "social", "radio", "display")
WEEKS = 10


def q(median: float, width: float = 0.2) -> Quantity:
    return Quantity(median, median * (1 - width), median * (1 + width))


def view(names: tuple[str, ...], test: str, **changes: Any) -> View:
    tv, search, social, radio, display = names
    credit = {"last": q(4.0, 0.02), "markov:1": q(3.0, 0.02)}
    channels = (
        ChannelView(
            tv,
            1000.0,
            q(3.5),
            mmm=q(3.6),
            mmm_calibrated=q(3.5),
            mroas=q(3.0),
            next_above_break_even=0.95,
            weights={"mmm": 0.9, "prior": 0.1},
            state="single source",
            reason="only the model speaks for this channel",
        ),
        ChannelView(
            search,
            500.0,
            None,
            mmm=q(4.0),
            mmm_calibrated=q(2.0),
            experiments=q(0.777),
            attribution=credit,
            platform=Quantity(9.0, 9.0, 9.0),
            evidence_grade="A",
            state="conflict, withheld",
            reason=f"test '{test}' contradicts the model fitted without it (p = 0.002)",
        ),
        ChannelView(
            social,
            2000.0,
            q(1.5),
            mmm=q(2.5),
            mmm_calibrated=q(1.6),
            attribution=credit,
            incrementality_factor=Quantity(0.5, 0.4, 0.7),
            mroas=q(1.0),
            next_above_break_even=0.02,
            weights={"mmm": 0.5, "attribution": 0.3, "prior": 0.2},
            state="differ, action changes",
            reason="the model: 2.50; attribution: 3.00",
        ),
        ChannelView(radio, 300.0, q(2.5), mmm=q(2.5), mroas=q(2.5, 0.05), next_above_break_even=0.5, state="agree"),
        ChannelView(display, 400.0, q(2.5, 0.6), mmm=q(2.5), mroas=q(2.5, 0.6), next_above_break_even=0.5),
    )
    made = View(
        channels=channels,
        derived_from=("data:abc", test),
        converged=True,
        seed=3,
        versions={"theodolite": "0.1"},
        window=("2024-01-01", "2024-03-04"),
        break_even=2.5,
        primary="markov:1",
        notes=("attribution enters by its model markov:1",),
    )
    return replace(made, **changes)


def frames(names: tuple[str, ...]) -> ModelFrames:
    dates = pd.date_range("2024-01-01", periods=WEEKS, freq="7D")
    level = np.linspace(900.0, 1100.0, WEEKS)
    curve = [
        {"channel": n, "spend": s, "median": s * 2, "low": s, "high": s * 3, "seen": s < 150.0}
        for n in names
        for s in (0.0, 100.0, 200.0)
    ]
    return ModelFrames(
        fit=pd.DataFrame({"date": dates, "actual": level, "fitted": level, "low": level - 50, "high": level + 50}),
        quality=FitQuality(0.93, 0.8, 0.02, 0.9),
        decomposition=pd.DataFrame(
            [{"date": d, "part": p, "value": 100.0, "order": i} for i, p in enumerate(("Base", *names)) for d in dates]
        ),
        parts=("Base", *names),
        contributions=pd.DataFrame({"channel": names, "median": 0.05, "low": 0.02, "high": 0.08}),
        media=(8000.0, 9000.0, 10_000.0),
        curves=pd.DataFrame(curve),
        now=pd.DataFrame([{"channel": n, "spend": 100.0, "median": 200.0} for n in names]),
        half_life=dict.fromkeys(names, (0.5, 1.0, 2.0)),
    )


def evidence(test: str, channel: str) -> dict[str, Any]:
    return {
        "experiment_id": test,
        "channels": [channel],
        "outcome_change": -40.0,
        "std_error": 20.0,
        "iroas": {"median": 0.777, "low": 0.6, "high": 0.9},
        "grade": "A",
        "age_years": 0.5,
        "spend_delta": [-51.5],
        "counterfactual_imputed": True,
        "waterfall": [
            {"step": "reported", "std_error": 10.0, "reason": "the test's own standard error"},
            {"step": "used", "std_error": 20.0, "reason": "what the model is told"},
        ],
        "problems": [],
    }


def credit(names: tuple[str, ...]) -> pd.DataFrame:
    known = {"conversions": 30.0, "conversions_low": 25.0, "conversions_high": 35.0, "share": 0.3}
    return pd.DataFrame([{"model": m, "channel": n} | known for m in ("last", "markov:1") for n in names[1:3]])


def material(names: tuple[str, ...] = CHANNELS, test: str = "dark-1", name: str = "acme", **changes: Any) -> Material:
    dates = pd.date_range("2024-01-01", periods=WEEKS, freq="7D")
    spend = [{"date": d, "end": d, "channel": n, "spend": 1.0, "share": 0.5} for n in names for d in dates]
    record = Experiment(
        experiment_id=test,
        channel=(names[1],),
        method="go_dark",
        start_date=date(2024, 1, 8),
        end_date=date(2024, 2, 4),
    )
    made = Material(
        name=name,
        kpi="revenue",
        kpi_is_money=True,
        margin=0.4,
        period="week",
        periods=WEEKS,
        geos=("a", "b"),
        outcome=30_000.0,
        media_spend=4200.0,
        view=view(names, test),
        diagnosis=Diagnosis(
            True,
            (),
            1.004,
            900.0,
            0,
            2000,
            12.0,
            dict.fromkeys(names, (1.004, 900.0)),
            "ff" * 32,
            3,
            {"theodolite": "0.1"},
        ),
        frames=frames(names),
        spend=pd.DataFrame(spend),
        tests=(record,),
        evidence=(evidence(test, names[1]),),
        conflicts=(Conflict(test, (names[1],), 0.002, "conflict"),),
        credit=credit(names),
        credit_window="2024-02-01 to 2024-03-04",
        problems=(Problem("two channels move together", "media.csv", level="note"),),
        head="ee" * 32,
    )
    return replace(made, **changes)


class Words(HTMLParser):
    """Tags, and text outside scripts and style."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.text = ""
        self.raw = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.raw = tag if tag in ("script", "style") else self.raw

    def handle_endtag(self, tag: str) -> None:
        self.tags.append(f"/{tag}")
        self.raw = "" if tag == self.raw else self.raw

    def handle_data(self, data: str) -> None:
        self.text += "" if self.raw else data


@cache
def usual() -> Page:
    return compose(material())


def section(page: Page, name: str) -> Section:
    return next(s for s in page.sections if s.id == name)


def plain(text: Any) -> str:
    return text if isinstance(text, str) else "".join(s if isinstance(s, str) else s.text for s in text)


def blocks(page: Page) -> list[Any]:
    def within(items: Any) -> list[Any]:
        return [b for item in items for b in ([item, *within(item.blocks)] if isinstance(item, Fold) else [item])]

    return [block for s in page.sections for block in within(s.blocks)]


def table(page: Page, file: str) -> TableBlock:
    return next(b for b in blocks(page) if isinstance(b, TableBlock) and b.file == file)


def row(page: Page, file: str, name: str) -> dict[str, Any]:
    found = table(page, file)
    cells = next(r for r in found.rows if r[0].text == name)
    return dict(zip([c.title for c in found.columns], cells, strict=True))


# -- what numbers hang on ---------------------------------------------------------------------------------------------


def hanging() -> Material:
    """The usual material, with what its numbers hang on, cells, campaigns and a track record."""
    m = material()
    tv, search, social, *rest = m.view.channels
    social = replace(
        social,
        move="cut",
        without={"mmm": Without(q(2.9), "raise"), "attribution": Without(q(1.2), "cut")},
        tipping={"mmm": Tipping(0.5, "hold"), "attribution": Tipping(4.0, "hold")},
    )
    cells = tuple(
        ViewCell(social.channel, market, start, end, 10.0, q(1.5), 0.3)
        for market in ("", "north")
        for start, end in (("2024-01-01", "2024-03-25"), ("2024-04-01", "2024-06-24"))
    )
    campaigns = (Campaign(social.channel, "spring", q(0.5), q(80.0), 50.0, q(1.6)),)
    view = replace(m.view, channels=(tv, search, social, *rest), cells=cells, campaigns=campaigns)
    judged = replace(m.conflicts[0], expected=Quantity(300.0, 200.0, 400.0))
    scored = Scored("dark-1", social.channel, "mmm", q(2.0), q(1.0), 0.4, False, False, 0.69, True)
    return replace(m, view=view, conflicts=(judged,), scored=(scored,))


def charts(found: Section) -> dict[str, ChartBlock]:
    return {str(b.file): b for b in found.blocks if isinstance(b, ChartBlock)}


def test_the_report_says_what_numbers_hang_on_and_shows_it() -> None:
    page = compose(hanging())
    found = section(page, "hangs")
    assert plain(found.lead) == (
        "With one source left out, money would move otherwise on social. The least error is enough on social, where "
        "the model need only say 2.00 times too little."
    )
    assert list(charts(found)) == ["left-out.csv", "tipping.csv"]
    assert list(charts(section(page, "when"))) == ["over-time.csv", "markets.csv"]
    assert list(charts(section(page, "campaigns"))) == ["campaigns.csv", "campaign-values.csv"]
    assert "unseen.csv" in charts(section(page, "tests"))
    assert render(page)


def test_what_is_not_known_has_no_section() -> None:
    names = {found.id for found in usual().sections}
    assert not names & {"hangs", "when", "campaigns", "track-record"}
    assert "unseen.csv" not in charts(section(usual(), "tests")), "an older version has judged the test"


def test_the_report_holds_sources_to_what_they_said_of_tests() -> None:
    page = compose(hanging())
    found = section(page, "track-record")
    assert plain(found.lead).startswith("1 test foretold")
    model = row(page, "sources-record.csv", "Model without tests")
    assert (model["Intervals that held"].value, model["Typical error"].value) == (0.0, 0.4)
    assert model["Leans"].value == pytest.approx(1.99, abs=0.01)
    assert "read-outs.csv" in charts(found)


# -- to decide --------------------------------------------------------------------------------------------------------


def test_the_lead_says_what_to_change_and_what_it_should_bring() -> None:
    lead = plain(section(usual(), "change").lead).replace("\u00a0", " ")
    assert lead.startswith(
        "Spend more on tv. Spend less on social. Test before moving: display. No advice yet on search."
    )
    # tv: 10 more a week bring 30, of which 12 are margin; social: 20 less a week cost 20, of which 8 are margin
    assert "raise profit by about EUR 14 a week" in lead


def test_a_step_is_a_tenth_of_the_spend_and_its_profit_is_margin_less_spend() -> None:
    page = usual()
    tv, social = (row(page, "steps.csv", name) for name in ("tv", "social"))
    step = "A step of 10\u00a0%"
    assert (tv[step].value, tv["Revenue change"].value, tv["Profit change"].value) == pytest.approx((10.0, 30.0, 2.0))
    assert (social[step].value, social["Revenue change"].value) == pytest.approx((-20.0, -20.0))
    assert social["Profit change"].value == pytest.approx(20.0 - 8.0)
    assert tv["Chance"].text.replace("\u00a0", " ") == "95 %"
    assert [r[0].text for r in table(page, "steps.csv").rows] == ["social", "tv"], "what moves most profit comes first"


def test_a_withheld_number_is_shown_as_such_with_its_reason() -> None:
    page = usual()
    found = row(page, "unified.csv", "search")
    assert (found["Unified iROAS"].text, found["Unified iROAS"].detail) == ("–", "withheld")
    assert found["Unified iROAS"].value is None
    assert found["Advice"].text == "none yet"
    assert "contradicts the model" in found["Do the sources agree?"].detail
    assert found["Lift tests"].text == "0.78", "what the sources say is still shown"


def test_key_figures() -> None:
    (facts,) = [b for b in section(usual(), "change").blocks if hasattr(b, "items") and hasattr(b.items[0], "label")]
    shown = {
        plain(f.label): (f.value.replace("\u00a0", " "), plain(f.detail).replace("\u00a0", " ")) for f in facts.items
    }
    assert shown["Spend"] == ("EUR 4.20 k", "10 weeks, 2 markets")
    assert shown["Revenue that media brought"] == ("EUR 9 k", "EUR 8 k to EUR 10 k; 30 % of all")
    assert shown["Return of all media"] == ("2.14", "1.90 to 2.38; break-even at 2.50")
    assert shown["Channels with a lift test"][0] == "1 of 5"


def test_without_a_margin_revenue_counts_as_profit_and_the_report_says_so() -> None:
    made = material(margin=None, view=view(CHANNELS, "dark-1", break_even=1.0))
    assert "states no margin" in Words(render(compose(made))).text
    assert "states no margin" not in Words(render(usual())).text


def test_where_nothing_calls_for_a_change_the_lead_says_so() -> None:
    held = replace(view(CHANNELS, "dark-1"), channels=(view(CHANNELS, "dark-1").channels[3],))
    page = compose(material(view=held, conflicts=(), evidence=()))
    assert plain(section(page, "change").lead).startswith("No channel calls for a change")


# -- the truth --------------------------------------------------------------------------------------------------------


def test_against_the_truth_each_method_has_its_error() -> None:
    truth = {"tv": 3.5, "search": 0.8, "social": 1.5, "radio": 2.5, "display": 5.0}
    page = compose(material(truth=truth))
    found = row(page, "errors.csv", "Unified view")
    # three channels are met, one is half of the truth: exp(sqrt(log(2)^2 / 4)) - 1
    assert found["Typical error"].value == pytest.approx(np.exp(np.log(2) / 2) - 1)
    assert found["Intervals that hold the truth"].text == "3 of 4"
    assert row(page, "truth.csv", "display")["Inside the interval"].text == "no"
    assert row(page, "truth.csv", "search")["Inside the interval"].text == "withheld"
    assert not any(s.id == "truth" for s in usual().sections)


# -- what is missing is explained -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "name", "words"),
    [
        ({"evidence": (), "conflicts": (), "tests": ()}, "tests", "holds no lift test"),
        ({"credit": None}, "attribution", "names no user journeys"),
    ],
)
def test_a_missing_piece_is_one_sentence_and_no_empty_chart(changes: dict[str, Any], name: str, words: str) -> None:
    found = section(compose(material(**changes)), name)
    assert words in plain(found.lead)
    assert found.blocks == ()


def test_sound_data_are_said_to_be_sound() -> None:
    assert plain(section(compose(material(problems=())), "data").lead).startswith("Nothing was found")


# -- convergence ------------------------------------------------------------------------------------------------------


NOT_FROM_THE_MODEL = ("spend.csv", "widening.csv", "credits-by-model.csv")


def not_converged() -> Material:
    made = material()
    bad = replace(made.diagnosis, converged=False, reasons=("with tests: R-hat is 1.2",), rhat=1.2)
    return replace(made, diagnosis=bad)


def test_a_fit_that_has_not_converged_is_labelled_wherever_its_numbers_stand() -> None:
    page = compose(not_converged())
    assert "R-hat is 1.2" in plain(page.notice)
    from_model = [b for b in blocks(page) if isinstance(b, ChartBlock) and b.file not in NOT_FROM_THE_MODEL]
    from_model += [table(page, name) for name in ("steps.csv", "unified.csv", "tests.csv", "incrementality.csv")]
    assert len(from_model) >= 11
    assert all("NOT CONVERGED" in plain(block.caption) for block in from_model)
    assert plain(section(page, "convergence").lead).startswith("No.")


def test_a_fit_that_has_converged_carries_no_warning() -> None:
    page = usual()
    assert page.notice == ""
    assert "NOT CONVERGED" not in Words(render(page)).text


# -- the file ---------------------------------------------------------------------------------------------------------

HOSTILE = (
    "<script>alert(1)</script>",
    "</script><img src=x onerror=alert(2)>",
    "=cmd|' /C calc'!A0",
    "\u202eقناة 📺 \"q\" & 'p'",
    "datum['x'] {{7*7}} **b**",
)


def test_hostile_names_change_no_structure_and_stand_there_literally() -> None:
    harmless = Words(render(usual()))
    html = render(compose(material(HOSTILE, test="<b>dark</b>", name="<i>acme</i>")))
    hostile = Words(html)
    assert hostile.tags == harmless.tags
    assert all(name in hostile.text for name in (*HOSTILE, "<b>dark</b>", "<i>acme</i>"))


def test_every_chart_draws_with_hostile_names_in_a_browser(
    tmp_path: Path, browse: Callable[[Path], tuple[str, str]]
) -> None:
    page = compose(material(HOSTILE, test="<b>dark</b>", name="<i>acme</i>"))
    charts = [b for b in blocks(page) if isinstance(b, ChartBlock)]
    document, console = browse(write_page(page, tmp_path / "report.html"))
    assert len(re.findall(r'class="canvas[^"]*\bdrawn"', document)) == len(charts) > 7
    seen = Words(document)
    assert "could not be drawn" not in seen.text
    assert all(name in seen.text for name in HOSTILE)
    assert "img" not in seen.tags
    assert seen.tags.count("script") == len(charts) + 2
    assert "Refused" not in console
    assert "rror" not in console


def test_hostile_names_in_downloads_are_no_formulas() -> None:
    html = render(compose(material(HOSTILE)))
    links = re.findall(r'href="data:text/csv;charset=utf-8;base64,([^"]+)"', html)
    assert len(links) >= 15
    cells = [
        cell
        for link in links
        for line in csv.reader(io.StringIO(base64.b64decode(link).decode("utf-8-sig"), newline=""))
        for cell in line
    ]
    assert any(cell.startswith("'=cmd") for cell in cells)
    formulas = [cell for cell in cells if cell.startswith(("=", "+", "@", "\t", "\r"))]
    assert formulas == []
    assert all(re.fullmatch(r"-?[\d.e+-]+", cell) for cell in cells if cell.startswith("-"))


def test_every_file_name_of_a_download_is_fixed() -> None:
    assert re.findall(r'download="([^"]+)"', render(compose(material(HOSTILE)))) == re.findall(
        r'download="([^"]+)"', render(usual())
    )


def test_the_same_material_gives_the_same_bytes() -> None:
    assert render(compose(material())) == render(usual())


def test_sections_follow_the_readers() -> None:
    page = compose(material(truth=dict.fromkeys(CHANNELS, 1.0)))
    assert [s.id for s in page.sections if s.reader == "decide"] == ["change", "unified", "truth"]
    assert [s.id for s in page.sections if s.reader == "understand"] == [
        "sources",
        "tests",
        "attribution",
        "curves",
        "where",
    ]
    assert [s.id for s in page.sections if s.reader == "check"] == [
        "verdict",
        "fit",
        "convergence",
        "data",
        "provenance",
    ]


def test_what_made_the_report_is_in_it() -> None:
    text = Words(render(usual())).text
    assert all(part in text for part in ("ff" * 32, "ee" * 32, "data:abc", "theodolite 0.1"))


# -- the verdict, and effects over time --------------------------------------------------------------------------------


def judged(verdict: str, *reasons: dict[str, Any]) -> dict[str, Any]:
    ahead = {"coverage_90": 0.88, "origins": 26}
    return {
        "verdict": verdict,
        "reasons": list(reasons),
        "leave_one_out": {"coverage_90": 0.91},
        "leave_future_out": ahead,
    }


def test_the_verdict_is_told_with_its_reasons_and_what_to_do() -> None:
    reason = {"level": "care", "topic": "trend", "words": "the trend bends <b>", "advice": "set it", "weight": 3.0}
    page = compose(material(validation=judged("usable with care", reason)))
    text = Words(render(page)).text
    for words in ("Usable with care: its numbers stand", "The trend bends <b>", "Set it", "88", "91"):
        assert words in text
    assert "Good: nothing was found" in Words(render(compose(material(validation=judged("good"))))).text
    assert "Do not use it yet" in Words(render(compose(material(validation=judged("do not use", reason))))).text
    assert "Run theodolite mmm validate" in plain(section(usual(), "verdict").lead)


def test_effects_that_change_are_drawn_and_others_are_not() -> None:
    assert not [found for found in usual().sections if found.id == "over-time"]
    ends = {f"{name}_{end}": 1.0 for name in ("relative", "iroas") for end in ("low", "median", "high")}
    rows = [{"channel": "tv", "quarter": day} | ends for day in pd.date_range("2024-01-01", periods=3, freq="91D")]
    made = material(frames=replace(frames(CHANNELS), over_time=pd.DataFrame(rows)))
    found = section(compose(made), "over-time")
    assert "effect of tv change slowly" in plain(found.lead)
    assert any(isinstance(block, ChartBlock) for block in found.blocks)


def test_models_of_attribution_are_named_for_people_and_keep_their_ids_in_the_csv() -> None:
    page = compose(material())
    found = table(page, "credits.csv")
    assert [column.title for column in found.columns] == ["Channel", "Last touch", "Markov, order 1"]
    assert table_csv(found).splitlines()[0] == "Channel,last (share of conversions),markov:1 (share of conversions)"
    shown = [b for b in blocks(page) if isinstance(b, TableBlock)]
    assert not [c for b in shown for c in b.columns if "markov:" in c.title + c.unit]
    assert not [b for b in blocks(page) if isinstance(b, ChartBlock) and "markov:" in plain(b.title) + plain(b.caption)]


def test_what_made_the_report_ends_it() -> None:
    assert compose(material()).sections[-1].id == "provenance"
