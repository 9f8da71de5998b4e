"""Shapley values against the average over all orders of entry, and what holds for the games by name."""

from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import PathSpec, attribute
from attribution.aggregated import from_frame
from attribution.models import lattice, shapley, subsequences
from attribution.models.coalitions import Coalitions, left_open, main_effects, rates


def table(rows):
    frame = pd.DataFrame(rows, columns=["path", "conversions", "value", "nulls"])
    return from_frame(frame.astype(dict.fromkeys(["conversions", "value", "nulls"], float)), PathSpec(), ())


def coalition(path, ordered):
    met = tuple(dict.fromkeys(path.split(" > ")))
    return met if ordered else tuple(sorted(met))


def by_definition(rows, weight, ordered):
    """All orders in which channels may come in, with rates shrunk as `coalitions` says; values per channel."""
    names = sorted({name for path, *_ in rows for name in path.split(" > ")})
    journeys, sold = {}, {}
    for path, won, _, lost in rows:
        key = coalition(path, ordered)
        journeys[key] = journeys.get(key, 0) + won + lost
        sold[key] = sold.get(key, 0) + won
    design = np.array([[name in key for name in names] for key in journeys], dtype=float)
    counts, won = np.array(list(journeys.values()), dtype=float), np.array(list(sold.values()), dtype=float)
    told = weight / (counts + weight)  # of a rate that differs from the main effects beyond chance
    gram = design.T @ (design * (counts * told)[:, None]) + np.eye(len(names))

    def pulled(reward, least):
        effect = dict(zip(names, np.linalg.solve(gram, design.T @ (reward * told)), strict=True))
        brought = dict(zip(journeys, reward, strict=True))

        def rate(part):
            expected = max(sum(effect[name] for name in part), least)
            return (brought.get(part, 0) + weight * expected) / (journeys.get(part, 0) + weight)

        return rate

    once = pulled(won, 0.0)
    again = pulled(won - counts * np.array([once(key) for key in journeys]), -np.inf)

    def rate(part):
        return max(once(part) + again(part), 0.0) if part else 0.0

    def game(left):
        return sum(count * rate(tuple(name for name in key if name in left)) for key, count in journeys.items())

    values = dict.fromkeys(names, 0.0)
    orders = list(permutations(names))
    for order in orders:
        for place, name in enumerate(order):
            values[name] += (game(order[: place + 1]) - game(order[:place])) / len(orders)
    return np.array(list(values.values()))


rows = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abcd"), min_size=1, max_size=5).map(" > ".join),
        st.integers(0, 9),
        st.just(0.0),
        st.integers(0, 30),
    ),
    min_size=1,
    max_size=8,
).filter(lambda found: sum(row[1] for row in found) > 0)


@pytest.mark.parametrize("ordered", [False, True])
@settings(max_examples=40, deadline=None, derandomize=True)
@given(found=rows)
def test_equal_to_all_orders_of_entry(ordered, found):
    paths = table(found)
    ready = shapley.prepare(paths, ordered)
    values = by_definition(found, ready.about["prior_journeys"], ordered)
    kept = np.maximum(values, 0)
    name = "shapley:ordered" if ordered else "shapley"
    result = attribute(paths, [name], draws=0)
    if kept.sum() > 1e-9:
        np.testing.assert_allclose(result[name].conversions, kept / kept.sum() * paths.conversions.sum(), atol=1e-9)
    told = [p for p in result.findings if p.code == "negative-shapley"]
    assert len(told) == (values < -1e-9).sum()


def random_rows(seed, number=80, channels="abcdefg", longest=9):
    random = np.random.default_rng(seed)
    return [
        (
            " > ".join(random.choice(list(channels), random.integers(1, longest))),
            int(random.integers(0, 20)),
            0.0,
            int(random.integers(0, 200)),
        )
        for _ in range(number)
    ]


def test_lattice_and_parts_agree(monkeypatch):
    paths = table(random_rows(1))
    one = attribute(paths, ["shapley"], draws=100)["shapley"]
    monkeypatch.setattr(lattice, "MOST_CHANNELS", 2)
    other = attribute(paths, ["shapley"], draws=100)["shapley"]
    np.testing.assert_allclose(one.conversions, other.conversions, atol=1e-9)
    error = np.abs(one.conversions_draws - other.conversions_draws).mean(axis=0)
    assert (error <= 0.25 * one.conversions_draws.std(axis=0)).all()  # the parts' draws are first-order


def test_sampling_errs_as_it_says(monkeypatch):
    paths = table(random_rows(2))
    monkeypatch.setattr(lattice, "MOST_CHANNELS", 2)
    known = Coalitions.of(paths, False)
    journeys = known.paths.T @ (paths.conversions + paths.nulls)
    sold = known.paths.T @ paths.conversions
    exact = subsequences.game(known)
    rate = shapley._rates_of_parts(known, exact, 5.0, journeys[:, None], sold[:, None])
    truth = exact.values(rate[:, 0], journeys)
    for slope, at in ((exact.by_rate(journeys), rate[:, 0]), (exact.by_journey(rate[:, 0]), journeys)):
        np.testing.assert_allclose(slope.T @ at, truth, rtol=1e-9)
    assert not exact.error(rate[:, 0], journeys).any()
    monkeypatch.setattr(subsequences, "LARGEST_EXACT", 3)
    off = []
    for seed in range(60):
        monkeypatch.setattr(subsequences, "SEED", seed)
        drawn = subsequences.game(known)
        rate = shapley._rates_of_parts(known, drawn, 5.0, journeys[:, None], sold[:, None])
        values = drawn.values(rate[:, 0], journeys)
        assert values.sum() == pytest.approx(truth.sum(), rel=1e-9)
        off.append((values - truth) / drawn.error(rate[:, 0], journeys))
    spread = np.array(off).std(axis=0)
    assert ((spread > 0.7) & (spread < 1.6)).all()
    about = attribute(paths, ["shapley"], draws=0)["shapley"].about
    assert set(about["sampling_error"]) == set(paths.channels)


def test_unanimity_is_the_equal_split_over_unique_channels():
    credit = attribute(table([("a > b > a", 6, 12.0, 1), ("c", 1, 1.0, 0)]), ["shapley:unanimity"])["shapley:unanimity"]
    np.testing.assert_allclose(credit.conversions, [3, 3, 1], atol=1e-12)
    np.testing.assert_allclose(credit.value, [6, 6, 1], atol=1e-12)


def test_plentiful_rates_are_hardly_shrunk():
    """The textbook game of two channels, every coalition of ten thousand journeys."""
    found = [("a", 1_000, 0.0, 9_000), ("b", 500, 0.0, 9_500), ("a > b", 3_000, 0.0, 7_000)]
    paths = table(found)
    values = np.array([1_000 + (1_000 + 2_500) / 2, 500 + (500 + 2_000) / 2])
    np.testing.assert_allclose(attribute(paths, ["shapley"], draws=0)["shapley"].conversions, values, rtol=2e-3)


def test_what_shrinking_leaves_open_is_drawn():
    """Of the variance m (1 - m) / k about main effects, what shrinking lost is not in resampled users."""
    paths = table([("a", 5, 0.0, 45), ("b", 20, 0.0, 380), ("a > b", 1, 0.0, 4)])
    known, weight = Coalitions.of(paths, False), 30.0
    journeys, sold = known.added_up(paths.conversions + paths.nulls), known.added_up(paths.conversions)
    factors = left_open(known, journeys, sold, weight)(np.random.default_rng(1), 40_000)
    expected = (known.holds @ main_effects(known, journeys[:, None], sold[:, None], weight))[:, 0]
    rate = rates(known, journeys[:, None], sold[:, None], weight, known.holds, np.arange(len(known)))
    np.testing.assert_allclose(factors.mean(axis=1), 1.0, rtol=0.02)
    missing = (weight / (journeys + weight)) ** 4 * expected * (1 - expected) / weight
    np.testing.assert_allclose((factors * rate).var(axis=1), missing, rtol=0.05)


def test_shrinking_takes_nothing_from_a_channel_and_little_from_what_is_its_own():
    """Alone ``c`` sells twice what it adds to others, which main effects cannot say."""
    found = [("a", 300, 0.0, 700), ("b", 150, 0.0, 850), ("a > b", 420, 0.0, 580)]
    found += [("c", 60, 0.0, 240), ("a > c", 66, 0.0, 134), ("b > c", 40, 0.0, 160), ("a > b > c", 70, 0.0, 80)]
    paths = table(found)
    known, weight = Coalitions.of(paths, False), 40.0
    journeys, sold = known.added_up(paths.conversions + paths.nulls), known.added_up(paths.conversions)
    rate = rates(known, journeys[:, None], sold[:, None], weight, known.holds, np.arange(len(known)))[:, 0]
    np.testing.assert_allclose(known.holds.T @ (journeys * rate), known.holds.T @ sold, atol=0.1)
    effects = main_effects(known, journeys[:, None], sold[:, None], weight)
    apart = sold / journeys - (known.holds @ effects)[:, 0]
    lacking = (sold / journeys - rate)[np.abs(apart) > 0.02] / apart[np.abs(apart) > 0.02]
    assert (lacking < 1.6 * (weight / (journeys + weight))[np.abs(apart) > 0.02] ** 2 + 0.01).all()
    assert (lacking > 0).all()


def test_channels_that_lean_on_main_effects_are_named():
    few = [("a", 400, 0.0, 9_600), ("b", 300, 0.0, 9_700), ("a > b", 3_000, 0.0, 7_000), ("c", 2, 0.0, 3)]
    found = [p.message for p in attribute(table(few), ["shapley"], draws=0).findings if p.code == "leaning-channel"]
    assert len(found) == 1
    assert "'c'" in found[0]
    assert "'a'" not in found[0]


def test_order_counts_only_in_the_ordered_game():
    found = [("a > b", 90, 0.0, 10), ("b > a", 10, 0.0, 90), ("a", 5, 0.0, 95), ("b", 5, 0.0, 95)]
    sets, orders = (
        attribute(table(found), [name], draws=0)[name].conversions for name in ("shapley", "shapley:ordered")
    )
    np.testing.assert_allclose(sets, [55, 55], rtol=1e-9)  # alike in the sets they are in
    np.testing.assert_allclose(orders, sets, rtol=1e-9)  # and so in two orders of one pair
    lone = attribute(
        table([*found, ("a > c", 0, 0.0, 50), ("c > a", 50, 0.0, 0)]), ["shapley", "shapley:ordered"], draws=0
    )
    assert not np.allclose(lone["shapley"].conversions, lone["shapley:ordered"].conversions)


def test_five_hundred_channels():
    random = np.random.default_rng(5)
    names = [f"channel {i}" for i in range(500)]
    found = [
        (" > ".join(random.choice(names, random.integers(1, 14))), int(random.integers(0, 2)), 0.0, 3)
        for _ in range(1_000)
    ]
    credit = attribute(table(found), ["shapley", "shapley:ordered"], draws=4)
    for each in credit.credits.values():
        assert each.conversions.sum() == pytest.approx(sum(row[1] for row in found), abs=1e-9)
        assert (each.conversions >= 0).all()
