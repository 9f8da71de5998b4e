"""The last backtest of the model: the past predicted from what came before it, beside naive forecasts."""

from typing import Any

import pandas as pd

from measurement.typing import Json
from measurement.validation.backtest_charts import predicted_and_came
from measurement.validation.backtested import WORDS
from theodolite.report.page import Block, Cell, ChartBlock, Column, Points, Section, TableBlock
from theodolite.report.words import GAP, NOTHING, number, percent, span

TITLE = "How it predicted the past"


def section(found: Json | None) -> Section:
    """What a backtest (`measurement.validation.backtested.Backtest.to_dict`) found, or how to get one."""
    if found is None:
        words = "Nobody has tried yet how this model predicts periods that it has not seen."
        return Section("backtest", TITLE, "check", lead=words)
    frame = pd.DataFrame([{"origin": fold["from"], **each} for fold in found["folds"] for each in fold["periods"]])
    dates = {"origin": pd.to_datetime(frame["origin"]), "date": pd.to_datetime(frame["date"])}
    chart = ChartBlock(
        predicted_and_came(frame.assign(**dates), found["kpi"]).to_dict(validate=False) | {"width": "container"},
        title=f"{found['kpi']}, predicted and come",
        caption="From every dashed line on, the model knew only what lies before it. Line and band: median and 90 % "
        "interval; points: what came.",
        height=300,
        file="backtest.csv",
    )
    said = [words for words in found["verdict"] if words]
    lead = f"{len(found['folds'])} times, {found['horizon']} {found['period']}s ahead. {said[0]}"
    blocks: tuple[Block, ...] = (chart, *((Points(tuple(said[1:])),) if said[1:] else ()), _scores(found))
    return Section("backtest", TITLE, "check", lead=lead, blocks=blocks)


def _scores(found: Json) -> TableBlock:
    columns = (
        Column("What was predicted"),
        Column("By"),
        Column("Error", "wMAPE", True),
        Column("Bias", numeric=True),
        Column("CRPS", "lower is better", True),
        Column("90 % intervals hold", numeric=True),
        Column("Errors smaller by", numeric=True),
    )
    rows = []
    for target, scores in found["scores"].items():
        what = WORDS[target].format(period=found["period"], horizon=found["horizon"])
        rows.append((Cell(what), Cell("the model"), *_cells(scores["model"]), Cell(NOTHING, tone="muted")))
        for naive in scores["naive"].values():
            skill = Cell(NOTHING, tone="muted") if naive["skill"] is None else _figure(naive["skill"])
            rows.append((Cell(what), Cell(naive["words"]), *_cells(naive), skill))
    caption = "With 90 % intervals over the folds. Bias: predicted less come; the naive forecasts know the past too."
    return TableBlock(columns, tuple(rows), caption, "backtest-scores.csv")


def _cells(scores: Json) -> tuple[Cell, ...]:
    held: Any = scores["coverage"][-1]
    return (
        _figure(scores["wmape"], 1),
        _figure(scores["bias"], 1),
        _figure(scores["crps"], 1),
        Cell(percent(held["held"]), span(held["low"], held["high"], percent), value=held["held"]),
    )


def _figure(found: Json, digits: int = 0) -> Cell:
    def share(value: float) -> str:
        return percent(value, digits)

    known = found["low"] is not None and found["high"] is not None
    detail = span(found["low"], found["high"], share) if known else ""
    return Cell(share(found["value"]), detail, value=found["value"])


def seconds(value: float) -> str:
    """Seconds of work: ``46 s``."""
    return f"{number(value)}{GAP}s"
