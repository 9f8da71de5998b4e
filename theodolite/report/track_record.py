"""How right each source was about tests before their read-out: frozen predictions against what the tests measured."""

import math
from typing import TYPE_CHECKING

from theodolite.report.page import Cell, ChartBlock, Column, Section, TableBlock
from theodolite.report.words import GAP, NOTHING, count, percent, ratio

if TYPE_CHECKING:
    from collections.abc import Sequence

    from calibration.track_record import Scored

LABELS = {
    "unified": "Unified view",
    "mmm": "Model without tests",
    "mmm_calibrated": "Model with tests",
    "experiments": "Earlier tests",
    "attribution": "Attribution",
}


def sections(scored: "Sequence[Scored]") -> tuple[Section, ...]:
    """The section, for those who check; none where nothing was predicted and read out."""
    if not scored:
        return ()
    tests = len({score.experiment_id for score in scored})
    lead = (
        f"{count(tests, 'test')} foretold: what each source said of it was frozen, and then held against what the test "
        "measured."
    )
    blocks = (by_source(scored), read_outs(scored))
    return (Section("track-record", "How right was each source about tests?", "check", lead, blocks),)


def by_source(scored: "Sequence[Scored]") -> TableBlock:
    """How each source did on predictions that were frozen in time."""
    from calibration.track_record import summary

    columns = (
        Column("Source"),
        Column("Tests", numeric=True),
        Column("Typical error", "CRPS, iROAS", True),
        Column("Intervals that held", "of 90 % ones", True),
        Column("Would have moved money", "as the test did", True),
        Column("Leans", "median of said ÷ measured", True),
    )
    rows = []
    for row in summary(scored):
        lean = row["median_log_error"]
        factor = None if lean is None else math.exp(lean)
        rows.append(
            (
                Cell(LABELS[str(row["method"])]),
                Cell(str(row["tests"]), value=row["tests"]),
                Cell(ratio(row["crps"]), value=row["crps"]),
                Cell(percent(row["inside"]), value=row["inside"]),
                Cell(percent(row["same_action"]), value=row["same_action"]),
                Cell(NOTHING, tone="muted") if factor is None else Cell(f"×{GAP}{ratio(factor)}", value=factor),
            )
        )
    caption = (
        "CRPS: how far the source's distribution lay from the read-out, 0 is perfect; the test's own error is allowed "
        "for. Leans: above 1 it says more than tests measure. Only what was frozen before the read-out counts."
    )
    return TableBlock(columns, tuple(rows), caption, "sources-record.csv")


def read_outs(scored: "Sequence[Scored]") -> ChartBlock:
    """Every prediction beside the read-out."""
    from calibration.track_record_charts import foreseen, frame_of

    frame = frame_of(scored)
    return ChartBlock(
        foreseen(frame).to_dict(validate=False),
        title="Said before, measured after",
        caption="Points with their 90 % intervals: what each source said of a test. The band behind them: what the "
        "test measured, with its own 90 % interval.",
        height=100 + 17 * len(frame) + 8 * frame["experiment_id"].nunique(),
        file="read-outs.csv",
    )
