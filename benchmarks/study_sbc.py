"""Simulation-based calibration of the mix model, as it is and with planted mistakes.

``python benchmarks/study_sbc.py [national geo tests mixed] [--runs 1000] [--seed 7]`` writes ``results/sbc.csv`` and
``.md``, a line per model and per planted mistake, and ``results/sbc_quantities``, a line per quantity of the models as
they are. The mixed model gets 3 runs where others get 10, and each planted mistake 200 at most. Lines of models that
are not asked for stay as they are.
"""

import argparse
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any
from unittest import mock

import numpy as np
import tables
from joblib import Parallel, delayed

from measurement.lift import Lift
from measurement.mmm import density, numpyro_engine, prepare, sbc
from measurement.mmm.spec import Spec
from measurement.panel import Panel
from measurement.simulate import geo, national, simulate

STRETCH = 50
SIZES = ("national", "geo", "tests", "mixed")
ABOUT = """Simulation-based calibration (`python benchmarks/study_sbc.py`): parameters are drawn from the priors, the
KPI and the tests' results forwards from the model by a generator of its own, each data set is fitted by the compiled
sampler (one chain, 120 draws of warm-up, every second of 78 kept), and the true quantities are ranked among the draws.
Quantities are all parameters, every channel's iROAS and coefficients, the contribution, the national linear terms, the
last demand, the log-likelihoods and the square that the media leave over. Scales, the linear terms' prior scales and
the residual's hyperparameters are held fixed at those of the panel: that they are estimated from the data beforehand is
*not* part of this check (`mmm_coverage` sees it). *least p* is the smallest p-value of all quantities, by chi-square on
20 bins and by the simultaneous band of the empirical distribution, *adjusted* the same times the number of quantities
and both tests, and *worst* whose it is. *lag* is the largest mean autocorrelation of kept draws. Lines with a mistake
fit the model with that mistake planted to data that the right model made. National has 104 weeks x 3 channels, geo 3
geos x 60 weeks x 2 channels, tests the same with three tests (two of one channel, one of these outside the panel),
mixed 104 weeks x 4 channels of other forms (delayed, weibull, binomial and no carry-over; hill, logistic, exponential
and root; saturation first) whose priors are about marginal ROI, coefficient, ROI and contribution."""
ABOUT_EACH = """The quantities of the models as they are (see `sbc`): p-values of the chi-square test and of the band,
not adjusted, the mean rank as a share of its range (.5 where all is well), and the autocorrelation of kept draws."""


@dataclass(frozen=True)
class Case:
    """A model to check: panel, spec and lift tests."""

    panel: Panel
    spec: Spec
    lifts: tuple[Lift, ...] = ()


def lifts_of(panel: Panel) -> tuple[Lift, ...]:
    """A holdout and a test in another market on the first channel, a heavy-up on the second."""

    def placed(name: str, c: int, start: int, usual: float) -> Lift:
        days = [panel.dates[week].astype(object) for week in (start, start + 5, start + 7)]
        spend = panel.spend[:1, start : start + 6, c : c + 1]
        error = 0.3 * abs((spend * (1 - usual)).sum())
        return Lift(name, (panel.channels[c],), panel.geos[:1], *days, 0.0, error, 0.15, usual * spend)

    holdout, heavy = placed("holdout", 0, 20, 2.0), placed("heavy-up", 1, 40, 0.5)
    usual = np.full((1, 6, 1), 0.3 * panel.spend[..., 0].sum(0).mean())
    elsewhere = replace(
        placed("elsewhere", 0, 30, 1.5),
        geos=(),
        counterfactual_spend=usual,
        actual_spend=0 * usual,
        std_error=0.3 * float(usual.sum()),
        market_share=0.3,
        carry_in="steady_state",
        cooldown_periods=3,
    )
    return holdout, elsewhere, heavy


def case_of(size: str) -> Case:
    if size == "national":
        panel = simulate(national(weeks=104, channels=3, seed=3)).panel()
        return Case(panel, Spec.default(panel))
    if size == "mixed":
        panel = simulate(national(weeks=104, channels=4, seed=3)).panel()
        prior = {"median": 0.3, "low": 0.1, "high": 0.9}
        forms: list[dict[str, Any]] = [
            {"adstock": "delayed", "mroi": {"median": 1.0, "low": 0.2, "high": 5.0}},
            {"adstock": "weibull", "saturation": "logistic", "coefficient": prior, "demand_driven": "strong"},
            {"adstock": "binomial", "saturation": "exponential", "order": "saturation_first"},
            {"adstock": "none", "saturation": "root", "contribution": {"median": 0.03, "low": 0.01, "high": 0.09}},
        ]
        channels = dict(zip(panel.channels, forms, strict=True))
        return Case(panel, Spec.default(panel, channels=channels, trend="piecewise"))
    panel = simulate(geo(n_geos=3, weeks=60, channels=2, seed=3, n_tests=0)).panel()
    return Case(panel, Spec.default(panel), lifts_of(panel) if size == "tests" else ())


def demand_ignored() -> AbstractContextManager[Any]:
    real = prepare.precision_of
    return mock.patch.object(prepare, "precision_of", lambda noise, counts: real(replace(noise, ratio=0.0), counts))


def lag_off_by_one() -> AbstractContextManager[Any]:
    real = prepare.lagged
    return mock.patch.object(prepare, "lagged", lambda x, lags: real(x, lags + 1)[..., 1:, :, :])


def tests_changed(change: Callable[[density.Tests], density.Tests]) -> AbstractContextManager[Any]:
    real = prepare.tests_of

    def changed(*given: Any, **more: Any) -> Any:
        tests, groups = real(*given, **more)
        return change(tests), groups

    return mock.patch.object(prepare, "tests_of", changed)


def counted_twice() -> AbstractContextManager[Any]:
    return tests_changed(lambda tests: tests._replace(used=2 * tests.used))


def sign_turned() -> AbstractContextManager[Any]:
    return tests_changed(lambda tests: tests._replace(rows=tests.rows._replace(exposure=tests.rows.exposure[::-1])))


def mroi_turned() -> AbstractContextManager[Any]:
    real = density.log_share

    def turned(*given: Any) -> Any:
        raw = given[4]["log_contribution"]
        return 2 * raw - real(*given)

    return mock.patch.object(density, "log_share", turned)


def shift_forgotten() -> AbstractContextManager[Any]:
    return mock.patch.object(numpyro_engine, "standardised", lambda layout, code, mean, sd, z: z)


def too_narrow() -> AbstractContextManager[Any]:
    real = sbc.chain

    def narrow(*given: Any) -> Any:
        fit = real(*given)
        return replace(fit, share=fit.share**0.8 * np.exp(0.2 * np.log(fit.share).mean(0)))

    return mock.patch.object(sbc, "chain", narrow)


BUGS: dict[str, tuple[str, Callable[[], AbstractContextManager[Any]]]] = {
    "carry-over off by one": ("national", lag_off_by_one),
    "sampler's shift not undone": ("national", shift_forgotten),
    "intervals of iROAS 20 % too narrow": ("national", too_narrow),
    "national demand ignored": ("geo", demand_ignored),
    "lift tests counted twice": ("tests", counted_twice),
    "sign of lift tests turned": ("tests", sign_turned),
    "sign of the mROI prior's shift turned": ("mixed", mroi_turned),
}
"""Each mistake, the model it is planted in, and how: what is traced is traced anew while it is there."""


def stretch(size: str, mistake: str, runs: range, seed: int) -> sbc.Ranks:
    """Ranks of some runs of a model, or of one with a mistake planted in it."""
    case = case_of(size)
    ready = prepare.prepare(case.panel, case.spec, case.lifts)
    if not mistake:
        return sbc.calibrate(case.panel, case.spec, case.lifts, ready, runs=runs, seed=seed)
    numpyro_engine.program.cache_clear()
    try:
        with BUGS[mistake][1]():
            fitted = prepare.prepare(case.panel, case.spec, case.lifts)
            return sbc.calibrate(case.panel, case.spec, case.lifts, ready, runs=runs, seed=seed, fitted=fitted)
    finally:
        numpyro_engine.program.cache_clear()


def ranks_of(size: str, mistake: str, runs: int, seed: int, jobs: int) -> sbc.Ranks:
    parts = [range(at, min(at + STRETCH, runs)) for at in range(0, runs, STRETCH)]
    return sbc.Ranks.joined(Parallel(jobs)(delayed(stretch)(size, mistake, part, seed) for part in parts))


def line(size: str, mistake: str, ranks: sbc.Ranks) -> dict[str, object]:
    p_values = ranks.p_values()
    adjusted, worst = sbc.verdict(p_values)
    return {
        "model": size,
        "mistake": mistake,
        "fits": len(ranks.ranks),
        "quantities": len(ranks.names),
        "least p": min(p_values[worst]),
        "adjusted": adjusted,
        "worst": worst,
        "lag": float(ranks.lag.mean(0).max()),
        "divergent": float(ranks.divergent.mean()),
    }


def study(sizes: list[str], runs: int, seed: int, jobs: int) -> None:
    """Run everything and write both tables after each model, so that a stopped study leaves what it has."""
    for size in sizes:
        ranks = ranks_of(size, "", 3 * runs // 10 if size == "mixed" else runs, seed, jobs)
        rows = [line(size, "", ranks)]
        for mistake, (where, _) in BUGS.items():
            if where == size:
                rows.append(line(size, mistake, ranks_of(size, mistake, min(200, runs), seed + 1, jobs)))
        written("sbc_quantities", ABOUT_EACH, size, list(quantities(size, ranks)), runs, seed)
        print(written("sbc", ABOUT, size, rows, runs, seed), flush=True)


def quantities(size: str, ranks: sbc.Ranks) -> Iterator[dict[str, object]]:
    """A line for each quantity."""
    p_values, share, lags = ranks.p_values(), ranks.ranks.mean(0) / ranks.draws, ranks.lag.mean(0)
    for name, mean, lag in zip(ranks.names, share, lags, strict=True):
        tests = {"chi-square": p_values[name][0], "band": p_values[name][1]}
        yield {"model": size, "quantity": name} | tests | {"mean rank": float(mean), "lag": float(lag)}


def written(name: str, about: str, size: str, rows: list[dict[str, object]], runs: int, seed: int) -> str:
    """Write a model's lines in place of those that its table has, in the order of the models."""
    others = [row for row in tables.read(name) if row["model"] != size]
    return tables.write(
        name, about, sorted([*others, *rows], key=lambda row: SIZES.index(str(row["model"]))), runs=runs, seed=seed
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=list(SIZES))
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    study(asked.sizes, asked.runs, asked.seed, asked.jobs)


if __name__ == "__main__":
    main()
