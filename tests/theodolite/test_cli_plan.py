"""Plans on the command line: what is printed, what is written, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from calibration import Conflict
from measurement.errors import DataError
from measurement.plan.horizon import business_as_usual
from theodolite import plans, results
from theodolite.cli import tables
from theodolite.study import Study

BUDGET = ("budget", "--periods", 6)


def settings_of(folder: Path, old: str, new: str) -> None:
    file = folder / "theodolite.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def test_a_budget_is_advised_within_its_limits(run, fitted_workspace: Path, tmp_path: Path) -> None:
    plain = json.loads(run(*BUDGET, "-w", fitted_workspace, "--json").out)
    usual = {c["channel"]: c["current"] for c in plain["channels"]}
    assert plain["total"] == pytest.approx(sum(usual.values()))
    assert plain["margin"] == 0.5
    assert all(0.5 - 1e-6 <= c["advised"] / c["current"] <= 1.5 + 1e-6 for c in plain["channels"])
    drawn = tmp_path / "moves.svg"
    options = ("--total", 0.9 * plain["total"], "--at-most", "--fix", "tv", "--bound", "social=0.9:1.1", "--chart")
    found = run(*BUDGET, "-w", fitted_workspace, *options, drawn, "--group", "tv,social=:1x", "--json")
    assert found.code == (0 if plain["converged"] else 1)
    told = json.loads(found.out)
    advised = {c["channel"]: c["advised"] for c in told["channels"]}
    assert advised["tv"] == pytest.approx(usual["tv"], rel=1e-5)
    assert 0.9 - 1e-6 <= advised["social"] / usual["social"] <= 1.0 + 1e-5
    assert told["total"] <= 0.9 * plain["total"] * (1 + 1e-6)
    assert "brand_search" in drawn.read_text()
    assert [file.name for file in tmp_path.iterdir()] == ["moves.svg"]


def test_people_read_a_table_and_what_it_should_bring(run, workspace: Path) -> None:
    settings_of(workspace, "margin = 0.5", "")
    said = run(*BUDGET, "-w", workspace).out
    for words in ("sure of the direction", "business as usual", "profit rises with a probability", "margin 1"):
        assert words in said


def test_a_channel_in_conflict_stays_and_an_unconverged_fit_is_marked(run, workspace: Path) -> None:
    study = Study.open(workspace)
    fitted = study.fitted()
    conflict = Conflict("test-1", ("tv",), 0.001, "conflict")
    broken = replace(fitted.best.diagnostics, converged=False)
    best = replace(fitted.best, diagnostics=broken)
    results.save_fit(study.store, replace(fitted, calibrated=best, conflicts=(conflict,)), "test")
    found = run(*BUDGET, "-w", workspace)
    assert found.code == 1
    assert "NOT converged" in found.out
    assert "tv stays as it is: test 'test-1' contradicts the model" in found.out
    (tv,) = [c for c in json.loads(run(*BUDGET, "-w", workspace, "--json").out)["channels"] if c["channel"] == "tv"]
    assert tv["advised"] == pytest.approx(tv["current"], rel=1e-5)
    assert "contradicts" in tv["held"]


def test_a_target_return_decides_how_much_is_spent(run, fitted_workspace: Path) -> None:
    def told(*options: object) -> dict:
        return json.loads(run(*BUDGET, "-w", fitted_workspace, "--others", "0:3", *options, "--json").out)

    free = told("--target-mroas", 1.5)
    assert free["target"]["of"] == "mroas"
    assert free["target"]["least"] == 1.5
    capped = told("--target-mroas", 1.5, "--total", 0.5 * free["total"])
    assert capped["total"] == pytest.approx(0.5 * free["total"], rel=1e-5)
    whole = told("--target-iroas", 1.5)
    assert whole["total"] >= free["total"] * (1 - 1e-6), "the next money may return less where only the whole is held"
    said = run(*BUDGET, "-w", fitted_workspace, "--target-iroas", 1.5, "--total", 1000).err
    assert "the bounds of the channels allow" in said
    said = " ".join(run(*BUDGET, "-w", fitted_workspace, "--target-mroas", 1.5, "--others", "0.9:1.1").out.split())
    assert "the next money of a channel returns 1.5 EUR per EUR or more in expectation" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--bound", "tvv=0.5:1"), "did you mean 'tv'"),
        (("--bound", "tv"), "expected NAME=LOW:HIGH"),
        (("--bound", "tv=1"), "expected LOW:HIGH"),
        (("--bound", "tv=a:2"), "expected LOW:HIGH"),
        (("--bound", "tv=10000:20000"), "write the currency behind it: 10000EUR"),
        (("--bound", "tv=2:1"), "0 <= low <= high"),
        (("--fix", "tv", "--bound", "tv=0.5:1"), "bounded twice"),
        (("--others", "1"), "expected LOW:HIGH"),
        (("--total", "-5"), "a budget is above 0"),
        (("--total", "nan"), "a budget is above 0"),
        (("--total", "1e12"), "the bounds of the channels allow"),
        (("--iroas", "1000"), "the best within the other limits returns"),
        (("--ramp", "much"), "expected SHARE or CHANNEL=SHARE"),
        (("--ramp", "tvv=0.1"), "did you mean 'tv'"),
        (("--ramp", "tv=0.1", "--bound", "tv=1.5:2"), "widen its bound or its ramp"),
        (("--ramp", "tv=0.1", "--may-stop", "tv"), "leave one of them out"),
        (("--geo", "mars=0.5:1"), "unknown geo 'mars'"),
        (("--geo", "national=0.5:1"), "plan by geo (--by-geo)"),
        (("--group", "tv,social=:0.6", "--ramp", "0.1"), "this cannot be kept: at most"),
        (("--target-mroas", "1", "--target-iroas", "2"), "name one of them"),
        (("--target-iroas", "2", "--aim", "worst"), "does not go with the aim 'worst'"),
        (("--aim", "gaol"), "did you mean 'goal'"),
        (("--aim", "goal"), "needs the profit to reach"),
        (("--level", "0.2"), "goes with the aims worst and cautious"),
        (("--periods", "100000"), "can be planned"),
        (("--chart", "moves.pdf"), "a chart is drawn to .png"),
    ],
)
def test_what_cannot_be_planned_ends_with_2(run, fitted_workspace: Path, options: tuple[str, ...], words: str) -> None:
    found = run("budget", "-w", fitted_workspace, *options)
    assert found.code == 2
    assert words in found.err
    assert found.out == ""
    assert "Traceback" not in found.err


def test_without_a_fit_it_says_what_to_run(run, workspace: Path) -> None:
    settings_of(workspace, "kpi_value = 1.0", "kpi_value = 2.0")
    found = run("budget", "-w", workspace)
    assert found.code == 2
    assert "run `theodolite mmm fit` again" in found.err


def test_ranges_are_read_as_multiples_or_money() -> None:
    both = plans.bound_of("0.5x:20000EUR", "EUR")
    assert (both.low, both.high, both.least, both.most) == (0.5, None, None, 20000.0)
    group = plans.group_of(("tv", "radio"), ":0.5", "EUR", {"tv": 100.0, "radio": 300.0})
    assert (group.low, group.high) == (0.0, 200.0)
    with pytest.raises(DataError, match="one side may be left open"):
        plans.bound_of(":", "EUR")


def test_curves_show_today_and_mark_what_was_never_seen(run, fitted_workspace: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "curves.png"
    found = json.loads(run("mmm", "curves", "-w", fitted_workspace, "--channel", "tv", "--json").out)
    (tv,) = found["channels"]
    today = next(point for point in tv["points"] if point["multiple"] == 1.0)
    assert today["spend"] == pytest.approx(tv["spend"])
    assert not today["extrapolates"]
    said = run("mmm", "curves", "-w", fitted_workspace, "--chart", drawn)
    assert "the next money returns" in said.out
    assert drawn.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    wrong = run("mmm", "curves", "-w", fitted_workspace, "--channel", "tvv")
    assert wrong.code == 2
    assert "did you mean 'tv'" in wrong.err


def test_effects_over_time_are_told_for_channels_that_vary(run, fitted_workspace: Path, capsys) -> None:
    said = run("mmm", "over-time", "-w", fitted_workspace)
    assert 'varies = "slow"' in said.out
    found = json.loads(run("mmm", "over-time", "-w", fitted_workspace, "--json").out)
    assert all(row["relative"]["median"] == 1.0 for row in found["channels"][0]["quarters"])
    tables.effect_over_time(found | {"channels": [found["channels"][0] | {"varies": True}], "converged": True})
    assert "1.00 [1.00, 1.00]" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["csv", "parquet", "nc"])
def test_an_exported_fit_reads_back_as_it_was(run, fitted_workspace: Path, tmp_path: Path, kind: str) -> None:
    best = Study.open(fitted_workspace).fitted().best
    file = tmp_path / f"fit.{kind}"
    assert run("mmm", "export", "-w", fitted_workspace, "--out", file, "--draws").code == 0
    tv = best.channels.index("tv")
    if kind == "nc":
        with xr.open_dataset(file, engine="scipy") as found:
            np.testing.assert_array_equal(found["iroas"].sel(channel="tv").values.ravel(), best.draws["iroas"][:, tv])
            assert found["coefficient"].dims == ("chain", "draw", "channel", "geo")
        return
    frame = pd.read_csv(file) if kind == "csv" else pd.read_parquet(file)
    own = frame[(frame["quantity"] == "iroas") & (frame["channel"] == "tv")]
    np.testing.assert_allclose(own["value"], best.draws["iroas"][:, tv], rtol=1e-12)
    assert own.groupby("chain").size().tolist() == [best.size // best.chains] * best.chains


def test_an_export_is_a_summary_otherwise_and_never_replaces_unasked(
    run, fitted_workspace: Path, tmp_path: Path
) -> None:
    file = tmp_path / "fit.csv"
    export = ("mmm", "export", "-w", fitted_workspace, "--out", file)
    assert run(*export).code == 0
    before = file.read_bytes()
    frame = pd.read_csv(file)
    best = Study.open(fitted_workspace).fitted().best
    row = frame[(frame["quantity"] == "iroas") & (frame["channel"] == "tv")].iloc[0]
    assert row["median"] == pytest.approx(np.median(best.draws["iroas"][:, best.channels.index("tv")]))
    again = run(*export, "--draws")
    assert again.code == 2
    assert "--force" in again.err
    assert file.read_bytes() == before
    assert run(*export, "--draws", "--force").code == 0
    assert file.read_bytes() != before
    odd = run("mmm", "export", "-w", fitted_workspace, "--out", tmp_path / "fit.xlsx")
    assert odd.code == 2
    assert "exported to .csv, .parquet, .nc" in odd.err
    assert [path.name for path in tmp_path.iterdir()] == ["fit.csv"]


# -- forecast and scenario ---------------------------------------------------------------------------------------------


def plan_file(folder: Path, workspace: Path, weeks: int, factor: float, name: str = "plan.csv", **columns) -> Path:
    """A plan that spends a multiple of business as usual on TV."""
    panel = Study.open(workspace).panel
    usual = business_as_usual(panel, weeks)
    money = factor * usual.spend[0, :, panel.channels.index("tv")]
    frame = pd.DataFrame({"date": usual.dates.astype(str), "channel": "tv", "spend": money} | columns)
    frame.to_csv(folder / name, index=False)
    return folder / name


def test_a_forecast_of_a_plan_that_is_business_as_usual_is_that_of_business_as_usual(
    run, fitted_workspace: Path, tmp_path: Path
) -> None:
    usual = json.loads(run("forecast", "-w", fitted_workspace, "--periods", 5, "--json").out)
    plan = plan_file(tmp_path, fitted_workspace, 5, 1.0)
    planned = json.loads(run("forecast", "-w", fitted_workspace, "--plan", plan, "--json").out)
    assert len(usual["periods"]) == 5
    assert planned["total"] == pytest.approx(usual["total"])
    assert planned["spend"] == "as planned"
    assert usual["total"]["low"] < usual["total"]["median"] < usual["total"]["high"]
    other = json.loads(run("forecast", "-w", fitted_workspace, "--periods", 5, "--seed", 1, "--json").out)
    assert other["total"]["median"] != usual["total"]["median"]
    assert other["total"]["median"] == pytest.approx(usual["total"]["median"], rel=0.02)
    drawn = tmp_path / "ahead.html"
    said = run("forecast", "-w", fitted_workspace, "--periods", 5, "--chart", drawn)
    assert "What it is made of" in said.out
    assert "vega" in drawn.read_text()


def test_a_scenario_says_what_a_plan_changes(run, fitted_workspace: Path, tmp_path: Path) -> None:
    more = plan_file(tmp_path, fitted_workspace, 6, 1.5)
    told = json.loads(run("scenario", "-w", fitted_workspace, "--plan", more, "--json").out)
    assert told["spend_change"] > 0
    assert 0 < told["change"]["low"] < told["change"]["high"]
    assert told["revenue_change"]["median"] > told["change"]["median"], "carry-over comes after the last week"
    assert told["profit_change"]["median"] == pytest.approx(
        0.5 * told["revenue_change"]["median"] - told["spend_change"]
    )
    less = plan_file(tmp_path, fitted_workspace, 6, 0.5, "less.csv")
    said = run("scenario", "-w", fitted_workspace, "--plan", less)
    assert "-50%" in said.out
    assert "with a probability of" in said.out
    assert json.loads(run("scenario", "-w", fitted_workspace, "--plan", less, "--json").out)["change"]["high"] < 0


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"channel": "tvv"}, "did you mean 'tv'"),
        ({"spend": -1.0}, "spend"),
        ({"geo": "mars"}, "unknown geo 'mars'"),
        ({"date": ["2001-01-01", "2001-01-08", "2001-01-15"]}, "must hold every week from"),
    ],
)
def test_a_plan_that_cannot_be_read_ends_with_2(
    run, fitted_workspace: Path, tmp_path: Path, columns: dict[str, object], words: str
) -> None:
    plan = plan_file(tmp_path, fitted_workspace, 3, 1.0, **columns)
    for command in ("scenario", "forecast"):
        found = run(command, "-w", fitted_workspace, "--plan", plan)
        assert found.code == 2
        assert words in found.err
        assert found.out == ""


def test_options_that_clash_are_refused(run, fitted_workspace: Path, tmp_path: Path) -> None:
    plan = plan_file(tmp_path, fitted_workspace, 3, 1.0)
    both = run("forecast", "-w", fitted_workspace, "--plan", plan, "--periods", 3)
    none = run("forecast", "-w", fitted_workspace, "--controls", plan)
    gone = run("scenario", "-w", fitted_workspace, "--plan", tmp_path / "gone.csv")
    assert [both.code, none.code, gone.code] == [2, 2, 2]
    assert "says itself how many periods" in both.err
    assert "the study has no controls" in none.err
    assert "gone.csv" in gone.err


# -- flight ------------------------------------------------------------------------------------------------------------


def test_a_flight_is_planned_written_and_read_as_a_plan(run, fitted_workspace: Path, tmp_path: Path) -> None:
    plan, drawn = tmp_path / "plan.csv", tmp_path / "plan.png"
    flight = ("flight", "-w", fitted_workspace, "--periods", 5, "--money", "tv=1.1", "--bound", "tv=0:3", "--ramp", 1)
    told = json.loads(run(*flight, "--out", plan, "--chart", drawn, "--json").out)
    (tv,) = told["channels"]
    panel = Study.open(fitted_workspace).panel
    usual = business_as_usual(panel, 5).spend[..., panel.channels.index("tv")].sum()
    assert tv["total"] == pytest.approx(1.1 * usual)
    steps = np.abs(np.diff(tv["spend"], prepend=panel.spend[:, -1, panel.channels.index("tv")].sum()))
    assert steps.max() <= tv["total"] / 5 * (1 + 1e-6)
    assert tv["bound"] >= tv["expected"]
    assert drawn.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    forecast = json.loads(run("forecast", "-w", fitted_workspace, "--plan", plan, "--json").out)
    assert forecast["spend"] == "as planned"
    said = run(*flight, "--dark", f"tv={told['dates'][4]}..{told['dates'][4]}", "--pulse", "tv")
    for words in ("When to spend", "What the timing is worth", "against even spending", "Even spending breaks"):
        assert words in said.out
    again = run(*flight, "--out", plan)
    assert again.code == 2
    assert "is there already" in again.err


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--money", "tvv=1"), "did you mean 'tv'"),
        (("--money", "tv"), "expected CHANNEL=MONEY"),
        (("--money", "tv=500000"), "write the currency behind it"),
        (("--others", "0.5:0.9"), "widen the bounds of the periods"),
        (("--ramp", "much"), "expected a share such as 0.3"),
        (("--dark", "tv=soon"), "a day is written YYYY-MM-DD"),
        (("--dark", "tv=2001-01-01"), "begins no week of the plan, which runs from"),
        (("--dark", "tv=2001-01-01..2001-02-01"), "no week of the plan begins"),
        (("--fixed", "tv=2001-01-01:5"), "expected DATE:MONEY"),
        (("--after", "usuall"), "did you mean 'usual'"),
        (("--out", "plan.xlsx"), "a plan is written to a .csv"),
        (("--ramp", "tv=0.0001", "--money", "tv=20"), "channel 'tv': no plan keeps to all limits"),
    ],
)
def test_a_flight_that_cannot_be_planned_ends_with_2(
    run, fitted_workspace: Path, options: tuple[str, ...], words: str
) -> None:
    found = run("flight", "-w", fitted_workspace, "--periods", 5, *options)
    assert found.code == 2
    assert words in found.err
    assert found.out == ""
    assert "Traceback" not in found.err


def test_the_priors_are_told_in_money_before_any_fit(run, workspace: Path, tmp_path: Path) -> None:
    drawn = tmp_path / "prior.png"
    plain = json.loads(run("mmm", "prior", "-w", workspace, "--chart", drawn, "--json").out)
    assert [channel["channel"] for channel in plain["channels"]] == ["brand_search", "social", "tv"]
    assert 0 < plain["share"]["median"] < 1
    assert drawn.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    settings_of(workspace, "[channels.tv]\n", "[channels.tv]\ncontribution = { median = 0.7, low = 0.5, high = 0.9 }\n")
    said = run("mmm", "prior", "-w", workspace)
    assert said.code == 0
    assert "leaves little for all else" in said.out


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("[channels.tv]\nl_max = 300\n", "or less in [channels.tv] of theodolite.toml"),
        ("[channels.tvv]\n", "did you mean 'tv'"),
        ("[channels.tv]\nroi = { median = 2.0, low = 3.0, high = 1.0 }\n", "low < median < high"),
        (
            "[channels.tv]\nroi = { median = 1.0, low = 0.5, high = 2.0 }\ncoefficient = { median = 1.0, low = 0.5, "
            "high = 2.0 }\n",
            "an effect has one size",
        ),
        ("[channels.tv]\norganic = true\n", "take `organic` out of [channels.tv] of theodolite.toml"),
        ("[channels.tv]\nadstok = 'none'\n", "did you mean 'adstock'"),
        ("[treatments.price]\n", "price"),
    ],
)
def test_contradictory_settings_end_with_one_error(run, workspace: Path, settings: str, words: str) -> None:
    store = {path: path.read_bytes() for path in (workspace / ".theodolite").rglob("*") if path.is_file()}
    section = settings.partition("\n")[0] + "\n"
    text = (workspace / "theodolite.toml").read_text()
    settings_of(workspace, *((section, settings) if section in text else ("[data]\n", settings + "\n[data]\n")))
    for command in (("mmm", "prior"), ("mmm", "fit", "--quiet")):
        found = run(*command, "-w", workspace)
        assert found.code == 2, found.out
        assert words in found.err
        assert found.out == ""
        assert "Traceback" not in found.err
    assert {path: path.read_bytes() for path in (workspace / ".theodolite").rglob("*") if path.is_file()} == store
