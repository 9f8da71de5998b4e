"""The spec is data: it round-trips, refuses what it does not know, and says why a panel cannot be fitted."""

import math
import tomllib
from dataclasses import replace

import numpy as np
import pytest

from measurement.errors import DataError
from measurement.lift import Lift
from measurement.mmm.calendar import check_holidays, holiday_columns
from measurement.mmm.counterfactual import contribution, iroas
from measurement.mmm.design_matrix import design_of
from measurement.mmm.fit import fit
from measurement.mmm.linear_terms import decomposition
from measurement.mmm.prepare import prepare
from measurement.mmm.prior import prior
from measurement.mmm.sampling import Sampling
from measurement.mmm.scaling import Scales
from measurement.mmm.spec import ChannelSpec, PositivePrior, RoiPrior, Spec, UnitPrior, check_spec


def toml(value) -> str:
    """Enough of a TOML writer for a test: inline tables all the way."""
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{name}" = {toml(item)}' for name, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else repr(value)


def test_round_trip_through_toml(panel_of):
    panel, _ = panel_of(2, 60, 2)
    spec = Spec.default(
        panel, holidays=("DE", "FR"), trend="piecewise", channels={"channel 1": {"demand_driven": "strong"}}
    )
    assert Spec.read(tomllib.loads(f"spec = {toml(spec.to_dict())}")["spec"]) == spec


def test_priors_keep_their_median_and_interval():
    mean, sd = PositivePrior(median=1.0, low=0.2, high=5.0).normal
    np.testing.assert_allclose(np.exp(mean + sd * np.array([-1.6449, 0, 1.6449])), [0.2, 1.0, 5.0], rtol=1e-3)
    mean, sd = UnitPrior(median=0.5, low=0.1, high=0.9).normal
    assert mean == pytest.approx(0)
    assert 1 / (1 + math.exp(-sd * 1.6449)) == pytest.approx(0.9, abs=1e-4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"channels": {"chanel 1": {}}}, "did you mean 'channel 1'"),
        ({"channels": {"channel 1": {"adstok": "none"}}}, "Extra inputs"),
        ({"channels": {"channel 1": {"roi": {"median": 1, "low": 2, "high": 3}}}}, "low < median < high"),
        ({"channels": {"channel 1": {"demand_driven": "very"}}}, "'no', 'some' or 'strong'"),
        ({"trend": "cubic"}, "'none', 'linear' or 'piecewise'"),
        ({"seasonality": 3}, "seasonality"),
    ],
)
def test_settings_that_are_not_allowed(panel_of, settings, message):
    with pytest.raises(DataError, match=message):
        Spec.default(panel_of(1, 60, 2)[0], **settings)


def test_every_reason_against_a_fit_is_named(panel_of):
    panel, _ = panel_of(1, 60, 2)
    spec = Spec.default(panel)
    spend = panel.spend.copy()
    spend[..., 0] = 0.0
    silent = replace(panel, spend=spend, exposure=spend, kpis={"revenue": np.full((1, 60), -1.0)})
    messages = " ".join(problem.message for problem in check_spec(spec, silent))
    assert "'channel 0' was never on" in messages
    assert "positive on average" in messages
    long = Spec.default(panel, channels={"channel 0": {"l_max": 100}})
    assert "l_max 100" in check_spec(long, panel)[0].message
    short = panel_of(1, 10, 2)[0]
    assert "too few" in check_spec(Spec.default(short), short)[0].message
    others = replace(panel, channels=("channel 0", "tv"))
    assert {problem.code for problem in check_spec(spec, others)} == {"unknown-channel", "missing-channel"}


def test_a_kpi_without_a_price_gets_a_prior_of_its_own_size(panel_of):
    panel, _ = panel_of(1, 60, 2)
    orders = replace(panel, kpis={"revenue": panel.outcome / 100.0})
    prior = Spec.default(orders).channels["channel 0"].roi
    implied = prior.median * panel.spend.sum() / orders.outcome.sum()
    assert 0.1 < implied < 0.5
    assert Spec.default(panel).channels["channel 0"].roi.median == 1.0


def test_holidays_count_their_days_in_each_period():
    dates = np.datetime64("2023-12-04") + 7 * np.arange(6)
    columns = {label[1]: column for column, label in holiday_columns(("DE",), ("national",), dates, "week")}
    christmas = next(column for name, column in columns.items() if "Christmas" in name)
    assert christmas[3] > 0  # the week of 25 December
    assert (christmas[[0, 1, 2, 4]] == 0).all()
    with pytest.raises(DataError, match="unknown country 'XX'"):
        holiday_columns(("XX",), ("national",), dates, "week")


REGIONS = {"Munich": ("DE-BY",), "Vienna": ("AT",), "*": ("DE",)}
MARKETS = ("Berlin", "Hamburg", "Munich", "Vienna")


def test_each_market_keeps_its_own_holidays():
    """Real calendars of 2024, by day: All Saints' Day in Bavaria and not in Berlin, unity day all over Germany."""
    dates = np.arange("2024-01-01", "2025-01-01", dtype="datetime64[D]")
    found = {label[1]: column / 0.1 for column, label in holiday_columns(REGIONS, MARKETS, dates, "day")}

    def kept(name, day):
        column = found[name]
        assert column.shape == (4, 366)
        at = int((np.datetime64(day) - dates[0]).astype(int))
        assert column.sum() == column[:, at].sum()  # on that day and no other
        return column[:, at].tolist()

    assert kept("DE: All Saints' Day", "2024-11-01") == [0, 0, 1, 0]
    assert kept("DE: Corpus Christi", "2024-05-30") == [0, 0, 1, 0]
    assert kept("AT: Corpus Christi", "2024-05-30") == [0, 0, 0, 1]
    assert kept("DE: German Unity Day", "2024-10-03") == [1, 1, 1, 0]
    assert kept("AT: National Day", "2024-10-26") == [0, 0, 0, 1]
    everywhere = holiday_columns(("DE",), MARKETS, dates, "day")
    assert all(column.shape == (366,) for column, _ in everywhere)
    same = holiday_columns({"*": ("DE", "DE")}, MARKETS, dates, "day")
    for (column, label), (other, named) in zip(everywhere, same, strict=True):
        assert label == named
        np.testing.assert_array_equal(column, other)  # named twice, a calendar counts once
    assert holiday_columns({"*": ()}, MARKETS, dates, "day") == []


def test_markets_and_codes_that_are_not_known_are_named():
    bad = {"Minich": ("DE-BY",), "Berlin": ("DE-XX", "ZZ"), "Vienna": ()}
    problems = check_holidays(bad, MARKETS)
    assert [problem.code for problem in problems] == [
        "unknown-geo",
        "missing-geo",
        "unknown-region",
        "unknown-country",
    ]
    words = [problem.message for problem in problems]
    assert "did you mean 'Munich'" in words[0]
    assert "'Hamburg', 'Munich'" in words[1]
    assert "DE-BW" in words[2]
    assert "DE-BY" in words[3]
    assert check_holidays(REGIONS, MARKETS) == []


def test_the_design_holds_shared_holidays_once(panel_of):
    panel, _ = panel_of(3, 60, 1)
    named = replace(panel, geos=("Berlin", "Munich", "Vienna"))
    spec = Spec.default(named, holidays=REGIONS, channels={"channel 0": {"demand_driven": "no"}})
    design = design_of(spec, named, Scales.of(named))
    assert not [label for label in design.national_labels if label[0] == "holidays"]
    cells = dict(zip(design.cells_labels, design.cells, strict=True))
    unity = cells["holidays", "DE: German Unity Day"]
    assert (unity.any(axis=1) == [True, True, False]).all()
    np.testing.assert_array_equal(unity[0], unity[1])
    assert Spec.read(spec.to_dict()) == spec
    with pytest.raises(DataError, match="unknown geo 'Moon'"):
        prepare(named, Spec.default(named, holidays={"Moon": ("DE",), "*": ()}))


def test_confounding_columns_follow_the_setting(panel_of, posterior_of):
    panel, _ = panel_of(3, 60, 3)
    driven = {f"channel {c}": {"demand_driven": level} for c, level in enumerate(("no", "some", "strong"))}
    spec = Spec.default(panel, channels=driven)
    design = design_of(spec, panel, Scales.of(panel), posterior_of(panel, spec).noise)

    def size(labels, columns, name):
        return [np.std(columns[i]) for i, label in enumerate(labels) if label == ("confounding", name)]

    national = [size(design.national_labels, design.national.T, f"channel {c}") for c in range(3)]
    own = [size(design.cells_labels, design.cells, f"channel {c}") for c in range(3)]
    assert [len(found) for found in national] == [0, 1, 1]
    assert [len(found) for found in own] == [0, 1, 1]
    assert national[2][0] == pytest.approx(2.5 * national[1][0])
    assert own[1][0] < national[1][0]


def test_what_a_test_spent_leaves_the_confounding_columns_alone(panel_of, posterior_of):
    panel, _ = panel_of(4, 60, 1)
    spec = Spec.default(panel, channels={"channel 0": {"demand_driven": "strong"}})
    scales, noise = Scales.of(panel), posterior_of(panel, spec).noise
    usual = np.ones(panel.shape[:2])
    usual[1:3, 20:28] = 0.0
    columns = []
    for level in (1.0, 0.0, 5.0):
        spend = np.where(usual[..., None] > 0, panel.spend, level * panel.spend)
        changed = replace(panel, spend=spend, exposure=spend)
        design = design_of(spec, changed, scales, noise, usual)
        shared = design.national[:, design.national_labels.index(("confounding", "channel 0"))]
        own = design.cells[design.cells_labels.index(("confounding", "channel 0"))]
        columns.append((shared, own))
        assert not own[usual == 0].any()
        assert shared.std() == pytest.approx(noise.swing)
    for shared, own in columns[1:]:
        np.testing.assert_allclose(shared, columns[0][0])
        np.testing.assert_allclose(own, columns[0][1])
    dark = replace(panel, spend=changed.spend * usual[..., None], exposure=changed.spend * usual[..., None])
    naive = design_of(spec, dark, scales, noise)
    assert np.abs(naive.cells[-1][usual == 0]).min() > 0


def test_a_national_test_counts_in_the_series_and_still_leaves_the_confounding_column_alone(panel_of):
    panel, _ = panel_of(1, 60, 1)
    spec = Spec.default(panel, channels={"channel 0": {"demand_driven": "strong"}})
    days = [panel.dates[week].item() for week in (20, 25, 27)]
    shapes = []
    for level in (0.0, 3.0):
        spend = panel.spend.copy()
        spend[:, 20:26] *= level
        tested = replace(panel, spend=spend, exposure=spend)
        lift = Lift("dark", ("channel 0",), panel.geos, *days, -1.0, 5.0, 0.1, panel.spend[:, 20:26])
        ready = prepare(tested, spec, [lift])
        assert ready.counts.all()
        assert not ready.usual[0, 20:28].any()
        assert ready.usual.sum() == 52
        design = design_of(spec, tested, ready.scales, ready.noise, ready.usual)
        shape = design.national[:, design.national_labels.index(("confounding", "channel 0"))]
        assert not shape[20:28].any()
        shapes.append(shape / ready.noise.swing)
    np.testing.assert_allclose(shapes[0], shapes[1])


def test_piecewise_trend_is_continuous_and_bends(panel_of):
    panel, _ = panel_of(1, 104, 1)
    design = design_of(Spec.default(panel, trend="piecewise", fourier_order=0), panel, Scales.of(panel))
    bends = design.national[:, [label[1] == "bend" for label in design.national_labels]]
    assert bends.shape[1] == 3
    assert np.abs(np.diff(bends, axis=0)).max() < 0.02
    assert ((np.abs(np.diff(bends, 2, axis=0)) > 1e-12).sum(0) == 1).all()


def test_the_prior_alone_reads_like_a_fit(panel_of):
    panel, _ = panel_of(2, 60, 2)
    belief = {"median": 2.0, "low": 0.5, "high": 8.0}
    spec = Spec.default(panel, channels={"channel 0": {"roi": belief}, "channel 1": {"contribution": SMALL}})
    drawn = prior(panel, spec, draws=4000, seed=3)
    roi = np.quantile(iroas(drawn, panel)[:, 0], [0.05, 0.5, 0.95])
    np.testing.assert_allclose(roi, [0.5, 2.0, 8.0], rtol=0.1)
    share = np.quantile(contribution(drawn, panel)[:, 1] / panel.outcome.sum(), [0.05, 0.5, 0.95])
    np.testing.assert_allclose(share, [0.01, 0.03, 0.09], rtol=0.1)
    np.testing.assert_allclose(drawn.draws["contribution"], contribution(drawn, panel), rtol=1e-9)
    again = prior(panel, spec, draws=4000, seed=3)
    np.testing.assert_array_equal(again.draws["coefficient"], drawn.draws["coefficient"])


SMALL = {"median": 0.03, "low": 0.01, "high": 0.09}


def test_an_effect_has_one_size():
    with pytest.raises(ValueError, match="one of roi, contribution"):
        ChannelSpec(roi=RoiPrior(), contribution=PositivePrior(**SMALL))
    assert ChannelSpec().size_prior == ("roi", RoiPrior())
    assert ChannelSpec(mroi=PositivePrior(**SMALL)).size_prior[0] == "mroi"


def test_a_treatment_acts_against_its_baseline(panel_of, posterior_of):
    panel, _ = panel_of(2, 60, 2)
    price = 10.0 + np.random.default_rng(0).choice([0.0, -2.0], (2, 60), p=[0.8, 0.2])
    priced = replace(panel, controls=np.stack([price, price**2], axis=2), control_names=("price", "other"))
    levers = {"price": {"baseline": "max", "effect": 0.4}}
    spec = Spec.default(priced, treatments=levers)
    parts = decomposition(posterior_of(priced, spec), priced)
    on_offer = (price < 10.0).any(axis=0)
    assert (parts["treatment: price"][:, ~on_offer] == 0).all()
    assert (parts["treatment: price"][:, on_offer] != 0).all()
    assert "controls" in parts
    same = Spec.default(priced, treatments={"price": {"baseline": 10.0, "effect": 0.4}})
    again = decomposition(posterior_of(priced, same), priced)
    np.testing.assert_allclose(again["treatment: price"], parts["treatment: price"])
    unknown = Spec.default(panel, treatments=levers)
    assert "is no control" in check_spec(unknown, panel)[0].message


def test_what_a_treatment_does_is_found(panel_of):
    """A price cut of two that brings 12 % more, every fourth week."""
    panel, _ = panel_of(1, 104, 1, noise=0.01)
    price = np.where(np.arange(104) % 4 == 0, 8.0, 10.0)[None]
    lifted = {"revenue": panel.outcome * np.where(price < 10, 1.12, 1.0)}
    priced = replace(panel, kpis=lifted, controls=price[..., None], control_names=("price",))
    spec = Spec.default(priced, treatments={"price": {"baseline": "max"}})
    post = fit(priced, spec, sampling=Sampling(chains=2, warmup=200, draws=200))
    brings = decomposition(post, priced)["treatment: price"][:, price[0] < 10].sum(axis=1)
    truth = (priced.outcome - panel.outcome).sum()
    low, high = np.quantile(brings, [0.05, 0.95])
    assert low < truth < high
    assert (high - low) / truth < 0.5
