"""A comparison of models: which predict best, whether the choice moves money, and what to write to take another."""

from typing import TYPE_CHECKING

from theodolite.report.backtested import seconds
from theodolite.report.page import Block, Cell, ChartBlock, Column, Points, Prose, Section, TableBlock
from theodolite.report.words import NOTHING, percent, ratio, span

if TYPE_CHECKING:
    from measurement.estimate import Estimate
    from measurement.validation.compared import Comparison, Judged


def section(found: "Comparison", settings: str) -> Section:
    """What a comparison found.

    Args:
        found: The comparison.
        settings: The chosen model as lines of theodolite.toml; empty where the study's own stays.
    """
    lead, *more = found.why()
    blocks: list[Block] = [_models(found)]
    if more:
        blocks.append(Points(tuple(more)))
    if settings:
        blocks.append(Prose(("To take it, write in theodolite.toml:", *settings.splitlines()), "good"))
    blocks += [_money(found), _chart(found)]
    cost = f"{found.fits} fits took {seconds(found.wall_seconds)}; seed {found.provenance.seed}."
    blocks.append(Prose((f"{cost} Elpd judges prediction, not cause: only lift tests judge iROAS.",), "muted"))
    return Section("comparison", "Models beside each other", "check", lead=lead, blocks=tuple(blocks))


def _models(found: "Comparison") -> TableBlock:
    columns = (
        Column("Model"),
        Column("Predicts better by", "elpd against the model as it is", True),
        Column("As good as the chosen one"),
        Column("Weight", "when stacked", True),
        Column("R-hat", "below 1.01", True),
    )
    good = found.as_good()
    rows = tuple(_row(found, one, one in good) for one in found.ranked)
    caption = f"{len(found.judged)} models on the same data, the best first; ± is the standard error of the difference."
    caption += " Elpd is the log density that a model gives to data it has not seen: more is better."
    return TableBlock(columns, rows, caption, "models.csv")


def _row(found: "Comparison", one: "Judged", good: bool) -> tuple[Cell, ...]:
    gap, error = one.beyond(found.own)
    own, settled = one is found.own, one.diagnostics.converged
    beyond = (
        Cell(NOTHING, "as it is", "muted")
        if own
        else Cell(f"{gap:+.1f}".replace("-", "−"), f"± {error:.1f}", value=gap)
    )
    return (
        Cell(one.candidate.name, "chosen" if one is found.chosen else ""),
        beyond,
        Cell("yes" if good else "no", tone="good" if good else "muted"),
        Cell(percent(one.weight), value=one.weight),
        Cell(f"{one.diagnostics.rhat:.3f}", "" if settled else "NOT converged", "plain" if settled else "caution"),
    )


def _money(found: "Comparison") -> TableBlock:
    columns = (
        Column("Channel"),
        Column("The chosen model", "iROAS", True),
        Column("All, stacked", "iROAS", True),
        Column("Medians of those as good", numeric=True),
        Column("Does the choice matter?"),
    )
    chosen, stacked, spread = found.iroas(found.chosen), found.stacked(), found.spread()
    rows = []
    for name, own in chosen.items():
        low, high, matters = spread[name]
        rows.append(
            (
                Cell(name),
                _estimate(own),
                _estimate(stacked[name]),
                Cell(span(low, high)),
                Cell("yes" if matters else "no", tone="caution" if matters else "muted"),
            )
        )
    caption = "Medians with 90 % intervals. Where the choice matters, take the stacked number, or test."
    return TableBlock(columns, tuple(rows), caption, "models-iroas.csv")


def _estimate(found: "Estimate") -> Cell:
    return Cell(ratio(found.median), span(found.low, found.high), value=found.median)


def _chart(found: "Comparison") -> ChartBlock:
    shown = len(found.as_good()) + 1
    return ChartBlock(
        found.chart().to_dict(validate=False),
        title="iROAS under each model that predicts as well",
        caption="Median and 90 % interval, channel by channel.",
        height=len(found.channels) * (60 + 18 * shown),
        file="models-chart.csv",
    )
