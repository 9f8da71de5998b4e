"""Tidy frames of what paths are like: how long, how slow, which way they go; and credit cut to the leading channels.

Intervals are those of the bootstrap of users that credits have (`attribution.sums`).
"""

from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import sparse

from attribution import ages
from attribution.credit import Attribution, Credit
from attribution.path_table import Paths
from attribution.sums import Resampling
from measurement.errors import DataError
from measurement.estimate import LEVEL
from measurement.typing import Floats, Ints

OTHER = "(other channels)"
START, CONVERSION, NONE, MORE = "(start)", "(conversion)", "(no conversion)", "(more touches)"
DRAWS = 200
LAGS = (1 / 24, 1.0, 2.0, 4.0, 7.0, 14.0, 30.0, 60.0)
"""Days that part the classes of time lags."""
LAG_LABELS = ("under 1 h", "1 to 24 h", "1 to 2 d", "2 to 4 d", "4 to 7 d", "7 to 14 d", "14 to 30 d", "30 to 60 d",
              "over 60 d")  # fmt: skip


def path_lengths(paths: Paths, longest: int = 10, seed: int = 0) -> pd.DataFrame:
    """Conversions and the rate of conversion by number of touches.

    Args:
        paths: The paths.
        longest: Paths of at least this many touches are one row.
        seed: Seed of the intervals.

    Returns:
        ``length`` (as a label), ``order, conversions, journeys, rate, rate_low, rate_high``; lengths that no path has
        are left out.
    """
    place = np.minimum(paths.lengths, longest) - 1
    member = sparse.csr_matrix((np.ones(len(paths)), (np.arange(len(paths)), place)), (len(paths), longest))
    won = np.bincount(place, paths.conversions, longest)
    all_ = won + np.bincount(place, paths.nulls, longest)
    resampling = Resampling.of(paths, DRAWS, seed)
    sums = [np.asarray((member.T @ resampling.weights[w]) @ resampling.times) for w in ("conversions", "journeys")]
    low, high = _ends(_ratio(sums[0], sums[1]))
    frame = pd.DataFrame(
        {
            "length": [f"{n}" if n < longest else f"{n} or more" for n in range(1, longest + 1)],
            "order": np.arange(longest),
            "conversions": won,
            "journeys": all_,
            "rate": _ratio(won, all_),
            "rate_low": low,
            "rate_high": high,
        }
    )
    return frame[frame["journeys"] > 0].reset_index(drop=True)


def time_lags(paths: Paths, seed: int = 0) -> pd.DataFrame:
    """How long before its conversion the first and the last touch of a path were; ages are known to within 9 %.

    Returns:
        ``since`` (``first touch``, ``last touch``), ``lag`` (a label), ``order, conversions``, and ``share`` (of that
        ``since``) with ``share_low, share_high``.

    Raises:
        DataError: Where the paths have no times.
    """
    users = paths.users
    if users is None:
        raise DataError("aggregated paths have no times, so there are no time lags: give the event log")
    stop = np.cumsum(paths.lengths[users.sale_path])
    start = stop - paths.lengths[users.sale_path]
    times = Resampling.of(paths, DRAWS, seed).times
    parts = []
    for since, at in (("first touch", start), ("last touch", stop - 1)):
        lag = np.searchsorted(np.array(LAGS), ages.DAYS[users.sale_ages[at]])
        shape = (len(LAG_LABELS), len(times))
        cells = np.bincount(lag * shape[1] + users.sale_group, users.sale_conversions, shape[0] * shape[1])
        by_group = cells.reshape(shape)
        drawn = by_group @ times
        low, high = _ends(_ratio(drawn, drawn.sum(axis=0)))
        won = by_group.sum(axis=1)
        rows = {"since": since, "lag": LAG_LABELS, "order": np.arange(shape[0]), "conversions": won}
        parts.append(pd.DataFrame(rows | {"share": won / won.sum(), "share_low": low, "share_high": high}))
    frame = pd.concat(parts, ignore_index=True)
    last = frame.loc[frame["conversions"] > 0, "order"].max()
    seen: pd.DataFrame = frame.loc[frame["order"] <= last].reset_index(drop=True)
    return seen


def transitions(paths: Paths, top: int = 12) -> pd.DataFrame:
    """Where journeys go from each channel, journeys that did not convert included.

    Args:
        paths: The paths.
        top: Channels with most touches that are named; the others are one.

    Returns:
        ``source, target, count`` (steps of journeys), ``share`` (of the source's steps), and the places of both ends,
        ``source_order, target_order``.
    """
    channel, names = _leading(paths, top)
    size = len(names)
    weight = (paths.conversions + paths.nulls)[paths.owner]
    first = paths.offsets[:-1]
    last = paths.offsets[1:] - 1
    follows = np.ones(len(channel), dtype=bool)
    follows[first] = False
    to = np.flatnonzero(follows)
    source = [np.zeros(len(paths), np.int64), 1 + channel[to - 1], 1 + channel[last], 1 + channel[last]]
    target = [channel[first], channel[to], np.full(len(paths), size), np.full(len(paths), size + 1)]
    amount = [weight[first], weight[to], paths.conversions, paths.nulls]
    cells = np.concatenate(source) * (size + 2) + np.concatenate(target)
    count = np.bincount(cells, np.concatenate(amount), (size + 1) * (size + 2)).reshape(size + 1, size + 2)
    total = count.sum(axis=1, keepdims=True)
    i, j = np.nonzero(count)
    sources, targets = np.array([START, *names], object), np.array([*names, CONVERSION, NONE], object)
    return pd.DataFrame(
        {
            "source": sources[i],
            "target": targets[j],
            "count": count[i, j],
            "share": _ratio(count, total)[i, j],
            "source_order": i,
            "target_order": j,
        }
    )


def flows(paths: Paths, steps: int = 4, top: int = 6) -> pd.DataFrame:
    """Conversions that go from one channel to the next over the first touches of their paths.

    Args:
        paths: The paths.
        steps: Touches that are followed.
        top: Channels with most touches that are named; the others are one.

    Returns:
        ``step`` (of the source, from 1), ``source, target, conversions, source_order, target_order``. Paths with more
        touches go to ``(more touches)`` after the last step; the others to ``(conversion)`` after their last touch.
    """
    channel, names = _leading(paths, top)
    size = len(names)
    won = np.flatnonzero(paths.conversions > 0)
    parts = []
    for step in range(steps):
        here = won[paths.lengths[won] > step]
        source = channel[paths.offsets[here] + step]
        longer = paths.lengths[here] > step + 1
        after = np.full(len(here), size)
        after[longer] = size + 1 if step == steps - 1 else channel[paths.offsets[here[longer]] + step + 1]
        count = np.bincount(source * (size + 2) + after, paths.conversions[here], size * (size + 2))
        i, j = np.nonzero(count.reshape(size, size + 2))
        parts.append(
            pd.DataFrame(
                {
                    "step": step + 1,
                    "source": np.array(names, object)[i],
                    "target": np.array([*names, CONVERSION, MORE], object)[j],
                    "conversions": count.reshape(size, size + 2)[i, j],
                    "source_order": i,
                    "target_order": j,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def leading(attribution: Attribution, top: int = 12) -> Attribution:
    """The same with the channels beyond the ``top`` largest (mean credit of all models) added up as one, draws too."""
    if len(attribution.channels) <= top + 1:
        return attribution
    mean = np.mean([credit.conversions for credit in attribution.credits.values()], axis=0)
    order = np.argsort(-mean, kind="stable")
    kept, rest = np.sort(order[:top]), order[top:]
    names = (*(attribution.channels[i] for i in kept), OTHER)
    known = [attribution.spend.get(attribution.channels[i]) for i in rest]
    spend = {name: money for name, money in attribution.spend.items() if name in names}
    if known and all(money is not None for money in known):
        spend[OTHER] = sum(money or 0.0 for money in known)
    made = {name: _cut(credit, names, kept, rest) for name, credit in attribution.credits.items()}
    return replace(attribution, channels=names, credits=made, spend=spend)


def _cut(credit: Credit, names: tuple[str, ...], kept: Ints, rest: Ints) -> Credit:
    def cut(numbers: Floats | None) -> Floats:
        whole = np.zeros((0, len(credit.channels))) if numbers is None else numbers
        return np.concatenate([whole[..., kept], whole[..., rest].sum(axis=-1, keepdims=True)], axis=-1)

    return replace(
        credit,
        channels=names,
        conversions=cut(credit.conversions),
        conversions_draws=cut(credit.conversions_draws),
        value=None if credit.value is None else cut(credit.value),
        value_draws=None if credit.value_draws is None else cut(credit.value_draws),
        removal_effect=None,
    )


def _leading(paths: Paths, top: int) -> tuple[Ints, list[str]]:
    """Each touch's channel in order of their touches, those beyond the ``top`` as one; and their names."""
    size = len(paths.channels)
    touches = np.bincount(paths.touches, (paths.conversions + paths.nulls)[paths.owner], size)
    order = np.argsort(-touches, kind="stable")
    names = [paths.channels[i] for i in order]
    rank = np.empty(size, np.int64)
    rank[order] = np.arange(size)
    if size > top + 1:
        rank, names = np.minimum(rank, top), [*names[:top], OTHER]
    return rank[paths.touches], names


def _ratio(part: Floats, whole: Floats) -> Floats:
    """0 where there is nothing to divide by."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _ends(draws: Floats) -> tuple[Floats, Floats]:
    """Ends of the 90 % interval over the last axis."""
    low, high = np.quantile(draws, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=-1)
    return low, high
