"""Chains of every order against walks followed step by step, draws against refits, and the choice of the order."""

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attribution import PathSpec, attribute
from attribution.aggregated import from_frame
from attribution.models import fixed_point, markov, markov_auto
from attribution.models.contexts import contexts


def table(rows):
    frame = pd.DataFrame(rows, columns=["path", "conversions", "value", "nulls"])
    return from_frame(frame.astype(dict.fromkeys(["conversions", "value", "nulls"], float)), PathSpec(), ())


def follow(rows, order, removed=None, reward=1):
    """Reward per journey: walks over tuples of the last touches, until almost no mass is on the way."""
    leave, arrive, ends = defaultdict(float), defaultdict(float), defaultdict(float)
    for path, *numbers in rows:
        names = path.split(" > ")
        states = [(), *(tuple(names[max(0, i - order) : i]) for i in range(1, len(names) + 1))]
        for here in states:
            leave[here] += numbers[0] + numbers[2]
        for step in pairwise(states):
            arrive[step] += numbers[0] + numbers[2]
        ends[states[-1]] += numbers[reward - 1]
    mass, won = {(): 1.0}, 0.0
    while sum(mass.values()) > 1e-16:
        ahead = defaultdict(float)
        for here, weight in mass.items():
            if leave[here] == 0:
                continue
            won += weight * ends[here] / leave[here]
            for (source, there), count in arrive.items():
                if source == here and there[-1] != removed:
                    ahead[there] += weight * count / leave[here]
        mass = ahead
    return won


rows = st.lists(
    st.tuples(
        st.lists(st.sampled_from("abc"), min_size=1, max_size=6).map(" > ".join),
        st.integers(0, 4),
        st.integers(1, 50),
        st.integers(0, 4),
    ).map(lambda row: (row[0], row[1], float(row[2]) if row[1] else 0.0, row[3])),
    min_size=1,
    max_size=6,
).filter(lambda found: sum(row[1] for row in found) > 0 and sum(row[3] for row in found) > 0)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_equal_to_following_every_walk(order, dense):
    @settings(max_examples=25, deadline=None, derandomize=True)
    @given(rows)
    def equal(found):
        credit = attribute(table(found), [f"markov:{order}"], draws=0)[f"markov:{order}"]
        probability, money = follow(found, order), follow(found, order, reward=2)
        sold, lost = (sum(row[i] for row in found) for i in (1, 3))
        assert credit.conversion_probability == pytest.approx(sold / (sold + lost), abs=1e-12)
        effects = np.array([1 - follow(found, order, name) / probability for name in credit.channels])
        worth = np.array([money - follow(found, order, name, 2) for name in credit.channels])
        np.testing.assert_allclose(credit.removal_effect, effects, atol=1e-9)
        np.testing.assert_allclose(credit.conversions, effects / effects.sum() * sold, atol=1e-9)
        np.testing.assert_allclose(credit.value, worth / worth.sum() * sum(row[2] for row in found), rtol=1e-9)

    with pytest.MonkeyPatch.context() as patch:
        if not dense:
            patch.setattr(fixed_point, "MOST_DENSE", 0)
            patch.setattr(fixed_point, "MOST_FILLED", 2.0)
        equal()


def random_rows(seed, number=60, channels="abcd"):
    random = np.random.default_rng(seed)
    return [
        (
            " > ".join(random.choice(list(channels), random.integers(1, 7))),
            sold := int(random.integers(0, 30)),
            3.0 * sold,
            int(random.integers(0, 60)),
        )
        for _ in range(number)
    ]


@pytest.mark.parametrize("order", [2, 3, 4])
@pytest.mark.parametrize("dense", [64, 0])
def test_influence_is_the_derivative_of_the_loss(order, dense, monkeypatch):
    monkeypatch.setattr(fixed_point, "MOST_DENSE", dense)
    paths = table(random_rows(1))
    random = np.random.default_rng(0)
    more_sold, more_lost = random.normal(size=(2, len(paths)))
    known = contexts(paths, order)

    def loss(step):
        sold = paths.conversions + step * more_sold
        return markov.Chain.of(known, sold + paths.nulls + step * more_lost, [sold], 4)

    step = 1e-5
    slope = (loss(step).loss - loss(-step).loss)[0] / (2 * step)
    sums = (known.steps.T @ (more_sold + more_lost))[:, None], [(known.ends.T @ more_sold)[:, None]]
    np.testing.assert_allclose(loss(0.0).influence(*sums)[0, :, 0], slope, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("order", [2, 4])
def test_draws_are_those_of_fitting_anew(order):
    """The first-order draws of the chain against resampled tables that are solved from scratch."""
    paths = table(random_rows(3))
    name = f"markov:{order}"
    draws = attribute(paths, [name], draws=1_000)[name].conversions_draws
    random = np.random.default_rng(1)
    again = np.array(
        [
            attribute(
                replace(
                    paths, conversions=random.poisson(paths.conversions) * 1.0, nulls=random.poisson(paths.nulls) * 1.0
                ),
                [name],
                draws=0,
            )[name].conversions
            for _ in range(150)
        ]
    )
    np.testing.assert_allclose(draws.std(axis=0), again.std(axis=0), rtol=0.25)
    np.testing.assert_allclose(draws.mean(axis=0), again.mean(axis=0), rtol=0.03)
    assert (draws >= 0).all()


def test_slow_chains_are_solved_directly(monkeypatch):
    """Journeys of hundreds of touches: where the iteration is not given the time, the direct solve says the same."""
    found = [(" > ".join("ab" * 120), 1, 1.0, 0), ("a > b > b > a", 1, 2.0, 3), ("b > a", 2, 2.0, 9)]
    quick = attribute(table(found), ["markov:2"], draws=0)["markov:2"]
    monkeypatch.setattr(fixed_point, "CYCLES", 0)
    direct = attribute(table(found), ["markov:2"], draws=0)["markov:2"]
    np.testing.assert_allclose(quick.removal_effect, direct.removal_effect, atol=1e-11)


def test_long_lines_of_many_channels_need_no_direct_solve(monkeypatch):
    """Sweeps from the ends of journeys run down a line of two hundred states at once; the direct solve agrees."""
    random = np.random.default_rng(8)
    names = [f"c{i}" for i in range(70)]
    found = [(" > ".join(random.choice(names, 200)), 1, 1.0, 0) for _ in range(3)]
    found += [(" > ".join(random.choice(names, random.integers(1, 9))), 1, 2.0, 3) for _ in range(60)]
    known = contexts(table(found), 2)
    chain = markov.Chain.of(known, *_sold(table(found)), len(names))
    monkeypatch.setattr(fixed_point, "MOST_FILLED", 0.0)  # columns are too full to be kept sparse
    weight = chain.ahead[:, 0]
    expected = fixed_point._direct(chain.moves, known.last[:, None] != np.arange(70), _own(known.last, weight))
    monkeypatch.setattr(fixed_point, "_direct", None)
    swept = fixed_point.through(chain.moves, known.last, weight, len(names))
    np.testing.assert_allclose(swept, expected, atol=1e-12)


def _sold(paths):
    return paths.conversions + paths.nulls, [paths.conversions]


def _own(last, weight):
    return np.where(last[:, None] == np.arange(last.max() + 1), weight[:, None], 0.0)


def test_paths_told_apart_by_an_earlier_touch():
    """``a`` decides two touches later: order 1 cannot know, order 2 does."""
    found = [("a > x > y", 10, 10.0, 0), ("b > x > y", 0, 0.0, 10), ("b", 0, 0.0, 5), ("a", 0, 0.0, 5)]
    one, three = (attribute(table(found), [name], draws=0)[name] for name in ("markov:1", "markov:3"))
    np.testing.assert_allclose(three.removal_effect, [1, 0, 1, 1], atol=1e-12)
    assert one.removal_effect[1] > 0.2


def walk(random, order, size):
    """Journeys whose next touch depends on the last ``order`` ones, strongly."""
    lines = defaultdict(lambda: [0, 0])
    for _ in range(size):
        names, sold = [], False
        while True:
            recent = tuple(names[-order:]) if order else ()
            weights = np.random.default_rng([7, *map(ord, recent)]).dirichlet([0.5] * 3)
            names.append("abc"[random.choice(3, p=weights)])
            if random.random() < 0.2:
                sold = random.random() < 0.4
                break
        lines[" > ".join(names)][int(sold)] += 1
    return [(path, sold, float(sold), lost) for path, (lost, sold) in lines.items()]


def test_the_order_that_made_the_journeys_is_found():
    for order in (1, 2, 3):
        paths = table(walk(np.random.default_rng(order), order, 4_000))
        score = markov_auto.held_out(paths)
        assert max(score, key=score.get) == order, score
        found = attribute(paths, ["markov:auto", f"markov:{order}"], draws=10)
        np.testing.assert_array_equal(found["markov:auto"].conversions, found[f"markov:{order}"].conversions)
        assert found["markov:auto"].about["order"] == order
        assert set(found["markov:auto"].about["held_out_log_likelihood"]) == {"1", "2", "3", "4"}


@pytest.mark.parametrize("order", [2, 3, 4])
def test_five_hundred_channels(order):
    random = np.random.default_rng(5)
    names = [f"channel {i}" for i in range(500)]
    found = [
        (" > ".join(random.choice(names, random.integers(1, 5))), int(random.integers(0, 2)), 0.0, 1)
        for _ in range(4_000)
    ]
    credit = attribute(table(found), [f"markov:{order}"], draws=10)[f"markov:{order}"]
    assert credit.conversions.sum() == pytest.approx(sum(row[1] for row in found), abs=1e-9)
    assert credit.conversions_draws.shape == (10, 500)
