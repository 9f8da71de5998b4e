"""What looks wrong in a panel, or will be hard for a model, in words. Nothing is ever changed.

Level ``warning``: the data look wrong, look at them. Level ``note``: they may well be right, but a model will find them
hard. Every finding has a ``code``; the codes and their thresholds stand beside the check that gives them.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from measurement import series
from measurement.errors import Level, Problem, shown
from measurement.panel import Panel
from measurement.periods import Period
from measurement.typing import Bools, Floats

NEAR_CONSTANT = 0.05
CORRELATED = 0.9
INFLATED, HARD = 10.0, 5.0
OUTLYING = 6.0
SHARED = 1.5
SLIPPED = 8.0
UNFINISHED = 0.75
LEAKING = 0.95
TOGETHER = 0.7
FEW_PER_PARAMETER, FAR_TOO_FEW = 10.0, 4.0
OF_ITS_OWN = 0.1
DENSE = 0.5
SHOWN = 5

_PER_YEAR: dict[Period, int] = {"day": 365, "week": 52, "month": 12}


def data_checks(panel: Panel) -> list[Problem]:
    """All checks of a panel.

    Args:
        panel: The data.

    Returns:
        Warnings first, then notes.
    """
    checks: Sequence[Callable[[Panel], Iterator[Problem]]] = (
        unfinished_period,
        outcome_values,
        outcome_outliers,
        spend_outliers,
        flat_channels,
        exposures_without_spend,
        collinear_channels,
        seasonal_channels,
        control_values,
        collinear_controls,
        leaking_controls,
        spend_after_demand,
        amount_of_data,
    )
    found = [problem for check in checks for problem in check(panel)]
    return sorted(found, key=lambda problem: problem.level != "warning")


_FLAT = (
    "the data alone cannot tell its effect from the baseline; a lift test can, and until then a prior (`roi`) speaks"
)


def flat_channels(panel: Panel) -> Iterator[Problem]:
    """Codes ``no-spend``, ``constant-channel``, ``near-constant-channel`` (spread below 5 %), ``rare-channel``."""
    for c, name in enumerate(panel.channels):
        seen = panel.exposure[:, :, c]
        spread = float(series.within_geo(seen[:, :, None]).std())
        active = int((seen > 0).any(axis=0).sum())
        if not panel.spend[:, :, c].any():
            yield _found("no-spend", f"channel '{shown(name)}' has no spend at all: it has no return on spend")
        elif spread < 1e-9:
            yield _found("constant-channel", f"channel '{shown(name)}' is the same in every period: {_FLAT}")
        elif spread < NEAR_CONSTANT:
            words = f"channel '{shown(name)}' hardly changes over time (by {spread:.1%}): {_FLAT}"
            yield _found("near-constant-channel", words)
        elif active < min(6, len(panel.dates) / 10):
            words = f"channel '{shown(name)}' is on in {active} of {len(panel.dates)} {panel.period}s only: {_FLAT}"
            yield _found("rare-channel", words, "note")


def exposures_without_spend(panel: Panel) -> Iterator[Problem]:
    """Codes ``spend-without-exposure``, ``exposure-without-spend``: in more than a tenth of the active cells."""
    for c, name in enumerate(panel.channels):
        spent, seen = panel.spend[:, :, c] > 0, panel.exposure[:, :, c] > 0
        for code, odd, of, words in (
            ("spend-without-exposure", spent & ~seen, spent, "spend and no exposure"),
            ("exposure-without-spend", seen & ~spent, seen, "exposure and no spend"),
        ):
            if odd.sum() > 0.1 * max(int(of.sum()), 1):
                where = f"in {int(odd.sum())} of {int(of.sum())} cells"
                yield _found(code, f"channel '{shown(name)}' has {words} {where}: are both of the same period?")


def collinear_channels(panel: Panel) -> Iterator[Problem]:
    """Codes ``collinear-channels`` (correlation above .9), ``inflated-channel`` (VIF above 10; a note above 5)."""
    moving = [c for c in range(len(panel.channels)) if np.ptp(series.within_geo(panel.exposure[:, :, [c]])) > 1e-9]
    values = series.within_geo(panel.exposure[:, :, moving])
    names = [shown(panel.channels[c]) for c in moving]
    matrix = series.correlations(values)
    paired: set[int] = set()
    for i, j in np.argwhere(np.triu(np.abs(matrix) > CORRELATED, 1)):
        paired |= {int(i), int(j)}
        how = "together" if matrix[i, j] > 0 else "against each other"
        words = f"channels '{names[i]}' and '{names[j]}' move {how} (correlation {matrix[i, j]:.2f})"
        yield _found(
            "collinear-channels",
            f"{words}: the data cannot tell which of them works; a test of one can, and so "
            "can what you know of them (`roi` of each in [channels.NAME] of theodolite.toml)",
        )
    for i, factor in enumerate(series.variance_inflation(values)):
        if factor > HARD and i not in paired:
            words = f"channel '{names[i]}' moves with a mix of the others (variance inflation {factor:.0f})"
            level: Level = "warning" if factor > INFLATED else "note"
            yield _found(
                "inflated-channel", f"{words}: its own effect will be uncertain; a test or a prior (`roi`) helps", level
            )


def seasonal_channels(panel: Panel) -> Iterator[Problem]:
    """Code ``seasonal-channel``: under a tenth of its national variation is other than trend and season."""
    if len(panel.dates) < 30:
        return
    for c, name in enumerate(panel.channels):
        total = panel.exposure[:, :, [c]].sum(axis=0)
        if total.std() <= NEAR_CONSTANT * total.mean():
            continue
        own = float(series.seasonless(total, panel.dates).var() / total.var())
        if own < OF_ITS_OWN:
            words = f"channel '{shown(name)}' moves with trend and season only ({own:.0%} of its movement is its own)"
            yield _found("seasonal-channel", f"{words}: {_FLAT}", "note")


def control_values(panel: Panel) -> Iterator[Problem]:
    """Codes ``constant-control``; ``control-outlier``, of controls that seldom repeat a value, judged as the KPI is."""
    window = {"day": 29, "week": 9, "month": 5}[panel.period]
    for j, name in enumerate(panel.control_names):
        values = panel.controls[:, :, j]
        if np.ptp(values) == 0:
            words = f"control '{shown(name)}' is the same everywhere: it explains nothing, take it out of `controls`"
            yield _found("constant-control", words)
        elif len(panel.dates) >= 3 * window and np.unique(values).size > DENSE * len(panel.dates):
            odd, _ = _unusual(panel, values, window)
            if odd.any():
                words = f"control '{shown(name)}' is far from its neighbours in {_cells(panel, odd)}"
                yield _found("control-outlier", f"{words}: a missing value written as a number, or a slip?", "note")


def collinear_controls(panel: Panel) -> Iterator[Problem]:
    """Codes ``control-like-channel`` (correlation above .9 within geos), ``collinear-controls`` (a note)."""
    names = [shown(name) for name in panel.control_names]
    many, about = len(names), panel.controls - panel.controls.mean(axis=1, keepdims=True)
    both = np.concatenate(
        [about.reshape(-1, many), series.within_geo(panel.exposure)] if many else [np.zeros((1, len(panel.channels)))],
        axis=1,
    )
    matrix = np.abs(series.correlations(both))
    for j, c in np.argwhere(matrix[:many, many:] > CORRELATED):
        words = f"control '{names[j]}' moves with channel '{shown(panel.channels[c])}'"
        words += f" (correlation {matrix[j, many + c]:.2f} in size)"
        yield _found("control-like-channel", f"{words}: it would take what the channel brings; leave one of them out")
    for i, j in np.argwhere(np.triu(matrix[:many, :many] > CORRELATED, 1)):
        words = f"controls '{names[i]}' and '{names[j]}' move together (correlation {matrix[i, j]:.2f} in size)"
        yield _found("collinear-controls", f"{words}: their own coefficients mean little, one would do", "note")


def outcome_values(panel: Panel) -> Iterator[Problem]:
    """Codes ``negative-kpi``, ``zero-kpi`` (zeros where the KPI is usually well above 0), ``constant-kpi``."""
    negative = panel.outcome < 0
    if negative.any():
        words = f"the KPI '{shown(panel.kpi)}' is negative in {_cells(panel, negative)}: are these returns?"
        yield _found("negative-kpi", words)
    usual = np.quantile(panel.outcome, 0.1, axis=1, keepdims=True)
    scale = np.median(panel.outcome, axis=1, keepdims=True)
    zero = (panel.outcome == 0) & (usual > 0.1 * scale) & (scale > 0)
    if zero.any():
        words = f"the KPI '{shown(panel.kpi)}' is exactly 0 in {_cells(panel, zero)}: are these missing data?"
        yield _found("zero-kpi", words)
    flat = [geo for geo, row in zip(panel.geos, panel.outcome, strict=True) if np.ptp(row) == 0]
    if flat:
        where = "" if len(panel.geos) == 1 else " in " + _several([f"geo '{shown(geo, 30)}'" for geo in flat])
        yield _found("constant-kpi", f"the KPI '{shown(panel.kpi)}' never changes{where}: there is nothing to explain")


def outcome_outliers(panel: Panel) -> Iterator[Problem]:
    """Code ``outlier``: beyond 3 interquartile ranges and 6 robust deviations from the neighbours' median.

    What all geos share is judged once, on their sum, and forgiven where the same season of another year had it too.
    """
    window = {"day": 29, "week": 9, "month": 5}[panel.period]
    if len(panel.dates) < 3 * window:
        return
    everywhere, _ = _unusual(panel, panel.outcome.sum(axis=0, keepdims=True), window)
    _, distance = _unusual(panel, panel.outcome, window)
    common = np.median(distance, axis=0) if len(panel.geos) > 2 else np.zeros(len(panel.dates))
    if len(panel.geos) > 2:
        everywhere &= np.abs(common) > SHARED
    local = distance - common
    odd = (np.abs(local) > OUTLYING) & series.beyond_fences(local) & ~everywhere
    odd[:, -1] = False  # the last period has a check of its own
    what = f"the KPI '{shown(panel.kpi)}' is far from its neighbours"
    why = (
        "a holiday, a promotion, or a fault in the data? `holidays`, `controls` or [treatments.NAME] explain it; if it "
        'stays, the model takes heavy tails by itself (`likelihood = "student_t"` in [model] asks for them)'
    )
    days = np.flatnonzero(everywhere[0, :-1])
    if days.size:
        yield _found("outlier", f"{what} on {_several([str(panel.dates[t]) for t in days])}: {why}")
    if odd.any() and len(panel.geos) > 1:
        yield _found("outlier", f"{what} in {_cells(panel, odd)}: {why}")


def _unusual(panel: Panel, values: Floats, window: int) -> tuple[Bools, Floats]:
    """Which values of (series, periods) are unusual in no other year, and all distances in robust deviations."""
    rest = values - series.neighbours(values, window)
    if panel.period == "day":
        rest = series.seasonless(rest.T, panel.dates).T
    distance = series.robust_z(rest)
    odd = (np.abs(distance) > OUTLYING) & series.beyond_fences(rest)
    day = panel.dates.astype(np.int64)
    for i, t in np.argwhere(odd):
        apart = np.abs(day - day[t])
        years = np.round(apart / series.YEAR)
        same_season = (years > 0) & (np.abs(apart - years * series.YEAR) <= 8)
        odd[i, t] = not (distance[i, same_season] * np.sign(distance[i, t]) > 0.5 * abs(distance[i, t])).any()
    return odd, distance


def spend_outliers(panel: Panel) -> Iterator[Problem]:
    """Code ``spend-outlier``: 8 times the usual spend of the channel in the geo, and 3 times its next highest."""
    for c, name in enumerate(panel.channels):
        spend = panel.spend[:, :, c]
        if spend.shape[1] < 8:
            return
        active = np.where(spend > 0, spend, np.nan)
        enough = (spend > 0).sum(axis=1) >= 8
        usual = np.array([np.nanmedian(row) if some else np.inf for row, some in zip(active, enough, strict=True)])
        second = np.sort(spend, axis=1)[:, -2]
        odd = (spend > SLIPPED * usual[:, None]) & (spend > 3 * second[:, None])
        if odd.any():
            words = f"spend of channel '{shown(name)}' is many times its usual in {_cells(panel, odd)}"
            yield _found("spend-outlier", f"{words}: a slipped decimal point, or money of a whole year?")


def unfinished_period(panel: Panel) -> Iterator[Problem]:
    """Code ``unfinished-period``: the last period is the lowest of half a year and under 75 % of the recent ones."""
    total = panel.outcome.sum(axis=0)
    if panel.period == "day":
        total = total[(total.size - 1) % 7 :: 7]  # days of the same weekday
    before = total[:-1][-26:]
    if before.size < 8:
        return
    recent = float(np.median(before[-8:]))
    if recent > 0 and total[-1] < UNFINISHED * recent and total[-1] < before.min():
        share = f"{total[-1] / recent:.0%} of what is usual"
        words = f"the last {panel.period} (from {panel.dates[-1]}) has {share}: is it complete? Leave it out if not"
        yield _found("unfinished-period", words)


def leaking_controls(panel: Panel) -> Iterator[Problem]:
    """Code ``leaking-control``: changes of a control equal changes of the KPI, now or later (correlation above .95)."""
    if len(panel.dates) < 12:
        return
    for i, name in enumerate(panel.control_names):
        control = np.diff(panel.controls[:, :, i], axis=1)
        best, lead = 0.0, 0
        for ahead in range(5):
            kpi = np.diff(panel.outcome, axis=1)[:, ahead:]
            both = np.stack([control[:, : kpi.shape[1]].ravel(), kpi.ravel()], axis=1)
            found = abs(float(series.correlations(both)[0, 1]))
            if found > best:
                best, lead = found, ahead
        if best > LEAKING:
            when = "of the same" if lead == 0 else f"{lead} {panel.period}{'s' if lead > 1 else ''} later than its own"
            words = f"control '{shown(name)}' follows the KPI {when} {panel.period} (correlation {best:.2f})"
            yield _found("leaking-control", f"{words}: it is an outcome, not a cause; leave it out")


def spend_after_demand(panel: Panel) -> Iterator[Problem]:
    """Codes ``spend-follows-demand``, ``spend-moves-with-demand``: cross-correlation without trend and season.

    Spend that rises one to four periods after the KPI did, more than the KPI rises after spend, is steered by demand.
    Spend that moves in the same period may be its cause or its effect.
    """
    if len(panel.dates) < 30:
        return
    kpi = series.seasonless(panel.outcome.sum(axis=0)[:, None], panel.dates)[:, 0]
    for c, name in enumerate(panel.channels):
        total = panel.spend[:, :, c].sum(axis=0)
        spend = series.seasonless(total[:, None], panel.dates)[:, 0]
        if spend.std() < 1e-6 * max(total.mean(), 1e-300):
            continue
        bar = max(0.3, 3 / np.sqrt(max(series.effective_size(spend, kpi), 4.0)))
        after = {lag: series.lagged_correlation(kpi, spend, lag) for lag in range(1, 5)}
        before = max(series.lagged_correlation(spend, kpi, lag) for lag in range(1, 5))
        lag = max(after, key=lambda k: after[k])
        now = series.lagged_correlation(spend, kpi, 0)
        hint = 'say demand_driven = "strong" if budgets follow sales, and test it'
        if after[lag] > bar and after[lag] > before + 0.1:
            ago = f"{lag} {panel.period}{'s' if lag > 1 else ''}"
            words = f"spend of channel '{shown(name)}' follows the KPI by {ago} (correlation {after[lag]:.2f})"
            yield _found("spend-follows-demand", f"{words}: it may be steered by demand; {hint}", "note")
        elif now > max(bar, TOGETHER):
            words = f"spend of channel '{shown(name)}' moves with the KPI (correlation {now:.2f}, season taken out)"
            yield _found("spend-moves-with-demand", f"{words}: cause or effect? {hint}", "note")


def amount_of_data(panel: Panel) -> Iterator[Problem]:
    """Codes ``few-data`` (under 10 values per parameter; a warning under 4), ``short-history`` (under a year)."""
    geos, periods, channels = panel.shape
    parameters = 3 * channels + len(panel.control_names) + geos + 6
    ratio = geos * periods / parameters
    if ratio < FEW_PER_PARAMETER:
        words = f"{geos * periods} values of the KPI for about {parameters} parameters ({channels} channels)"
        advice = "expect wide intervals that lean on the priors; join small channels, or add geos or history"
        yield _found("few-data", f"{words}: {advice}", "warning" if ratio < FAR_TOO_FEW else "note")
    if periods < _PER_YEAR[panel.period]:
        words = f"{periods} {panel.period}s are less than a year: season and trend cannot be told apart"
        yield _found("short-history", words, "note")


def _found(code: str, words: str, level: Level = "warning") -> Problem:
    return Problem(words, level=level, code=code)


def _cells(panel: Panel, odd: Bools) -> str:
    """The cells of (geos, periods) in words."""
    one = len(panel.geos) == 1
    return _several(
        [
            f"{panel.dates[t]}" if one else f"geo '{shown(panel.geos[g], 30)}' on {panel.dates[t]}"
            for g, t in np.argwhere(odd)
        ]
    )


def _several(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
