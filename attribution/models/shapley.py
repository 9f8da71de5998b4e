"""Shapley values of the game of coalition conversion rates: what each channel adds, averaged over orders of entry.

If only the channels in ``S`` were left, a journey that met ``T`` would be one that met ``T and S``, and convert as
such journeys do: ``V(S) = sum over journeys of v(T and S)``, with nothing for no channel. ``v`` is the rate of the
journeys that met exactly those channels, shrunk where they are few (`coalitions`); in the ordered game, of those that
met them in that very order. Values add up to ``sum of v(T)``, and credit is in proportion. A value below 0 says that
journeys with the channel convert less often than those without: its credit is 0, and the reader is told.

Sources: Shapley (1953), A value for n-person games; Dalessandro et al. (2012), Causally motivated attribution for
online advertising (ADKDD), for the rates; Zhao, Mahboobi & Bagheri (2018), arXiv 1804.05327, for order.
"""

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
from scipy import sparse

from attribution.models import lattice, subsequences
from attribution.models.coalitions import Coalitions, left_open, lost, rare, rates, strength
from attribution.path_table import Paths
from attribution.sums import Prepared, Solution, Term
from measurement.errors import Problem, shown
from measurement.typing import Floats, Json

type Values = Callable[[Floats, Floats, Floats | None], Floats]
"""From journeys, rewards and factors on rates, each (coalitions, draws), to values of shape (channels, draws)."""
OFTEN = 0.1
"""Share of conversions in rare coalitions beyond which the reader is told."""
LEANING = 0.25
"""Weight of main effects in the conversions of a channel beyond which its interval is said to be too narrow."""


def prepare(paths: Paths, ordered: bool = False) -> Prepared:
    """The game of rates by set of channels, or by their order."""
    known = Coalitions.of(paths, ordered)
    journeys, sold = known.added_up(paths.conversions + paths.nulls), known.added_up(paths.conversions)
    weight = strength(known, journeys, sold)
    few = rare(known, journeys, weight)
    share = float(sold[few].sum() / max(sold.sum(), 1e-300))
    about: Json = {"prior_journeys": weight, "rare_coalitions": int(few.sum()), "share_in_rare": share}
    rewards = [sold] + ([] if paths.value is None else [known.added_up(paths.value)])
    if known.channels <= lattice.MOST_CHANNELS and not ordered:
        games, cells = [_by_lattice(known, weight)] * len(rewards), 1 << known.channels
    else:
        played = subsequences.game(known)
        by_parts = _by_parts(known, played, weight, journeys)
        games, cells = [by_parts(each) for each in rewards], played.holds.shape[0]
        error = played.error(_rates_of_parts(known, played, weight, journeys[:, None], sold[:, None])[:, 0], journeys)
        if error.any():
            about["sampling_error"] = {n: float(e) for n, e in zip(paths.channels, error, strict=True) if e}
    found = games[0](journeys[:, None], sold[:, None], None)[:, 0]
    terms = [Term("journeys", known.paths), Term("conversions", known.paths)]
    if paths.value is not None:
        terms.append(Term("value", known.paths))

    def solve(sums: Sequence[Floats]) -> Solution:
        factor = sums[len(terms)] if len(sums) > len(terms) else None
        pairs = zip(games, sums[1 : len(terms)], strict=True)
        credit = [_credit(game(sums[0], reward, factor), reward) for game, reward in pairs]
        return Solution(credit[0], credit[1] if len(credit) > 1 else None)

    said = (*_said(paths, found, share, weight), *_leaning(paths, known, sold * lost(journeys, weight), sold))
    draw = left_open(known, journeys, sold, weight)
    return Prepared(tuple(terms), solve, max(cells, known.channels**2), open_=draw, about=about, findings=said)


def _by_lattice(known: Coalitions, weight: float) -> Values:
    size = 1 << known.channels
    mask = np.asarray(known.holds @ (1 << np.arange(known.channels))).astype(np.int64)
    bits = (np.arange(size)[:, None] >> np.arange(known.channels) & 1).astype(np.float64)

    def values(journeys: Floats, reward: Floats, factor: Floats | None) -> Floats:
        met = np.zeros((size, journeys.shape[1]))
        met[mask] = journeys
        rate = rates(known, journeys, reward, weight, bits, mask)
        rate[0] = 0.0
        if factor is not None:
            rate[mask] *= factor
        return lattice.shapley(rate, met)

    return values


def _by_parts(
    known: Coalitions, played: subsequences.Game, weight: float, journeys: Floats
) -> Callable[[Floats], Values]:
    """Values are linear in journeys and linear in rates: draws follow both slopes from what was observed."""

    @cache
    def by_rate() -> sparse.csr_matrix:
        return played.by_rate(journeys)

    def game(reward: Floats) -> Values:
        rate = _rates_of_parts(known, played, weight, journeys[:, None], reward[:, None])[:, 0]

        def values(drawn: Floats, brought: Floats, factor: Floats | None) -> Floats:
            rates_drawn = _rates_of_parts(known, played, weight, drawn, brought)
            if factor is not None:
                rates_drawn[played.place] *= factor
            if drawn.shape[1] == 1:  # one alone is played out exactly
                return played.values(rates_drawn[:, 0], drawn[:, 0])[:, None]
            twice = played.values(rate, journeys)[:, None]
            return np.asarray(by_journey().T @ drawn + by_rate().T @ rates_drawn - twice)

        @cache
        def by_journey() -> sparse.csr_matrix:
            return played.by_journey(rate)

        return values

    return game


def _rates_of_parts(
    known: Coalitions, played: subsequences.Game, weight: float, journeys: Floats, reward: Floats
) -> Floats:
    rate = rates(known, journeys, reward, weight, played.holds, played.place)
    rate[played.empty] = 0.0
    return rate


def _credit(values: Floats, reward: Floats) -> Floats:
    """Values as credit: none below 0, and all of the reward."""
    kept = np.maximum(values, 0.0)
    total = kept.sum(axis=0)
    return np.asarray(kept * np.divide(reward.sum(axis=0), total, out=np.zeros_like(total), where=total > 0))


def _said(paths: Paths, values: Floats, share: float, weight: float) -> tuple[Problem, ...]:
    found = []
    for name, value in zip(paths.channels, values, strict=True):
        if value < -1e-9:
            message = (
                f"journeys with '{shown(name)}' convert less often than those without: "
                f"its Shapley value of {value:,.1f} conversions is taken for 0"
            )
            found.append(Problem(message, column="channel", level="note", code="negative-shapley"))
    if share > OFTEN:
        message = (
            f"{share:.0%} of conversions are on coalitions of fewer than {weight:,.0f} journeys, "
            "whose rates lean on the channels' main effects: Shapley values rest on those"
        )
        found.append(Problem(message, level="note", code="rare-coalitions"))
    return tuple(found)


def _leaning(paths: Paths, known: Coalitions, lent: Floats, sold: Floats) -> tuple[Problem, ...]:
    """Channels whose coalitions are so few that main effects say much of their rates."""
    total = known.holds.T @ sold
    share = np.divide(known.holds.T @ lent, total, out=np.zeros_like(total), where=total > 0)
    named = [f"'{shown(paths.channels[i])}' ({share[i]:.0%})" for i in np.argsort(-share) if share[i] > LEANING]
    if not named:
        return ()
    message = (
        f"Shapley rates of the journeys with {', '.join(named[:5])}{', ...' if named[5:] else ''} come by that much "
        "from the channels' main effects: what that errs by is only in part in their intervals, which may be too narrow"
    )
    return (Problem(message, column="channel", level="note", code="leaning-channel"),)
