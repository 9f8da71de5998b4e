"""What each unified number hangs on, and its parts: by time, by market, by campaign."""

from dataclasses import replace
from typing import TYPE_CHECKING

from calibration import cell_charts, left_out_charts, part_frames
from calibration.verdict import NAMES
from calibration.view import View
from theodolite.report.cells import joined, names
from theodolite.report.material import Material
from theodolite.report.page import Block, ChartBlock, Section, Text
from theodolite.report.words import count, ratio

if TYPE_CHECKING:
    from measurement.charts import Layers

LINE = 15
"""Pixels of a line of a chart."""
LEAST = 600
"""Pixels of width that charts with words beside their lines need."""


def sections(m: Material) -> tuple[Section, ...]:
    """The sections, as far as the view knows something of them."""
    found = (_hangs(m), _cells(m), _campaigns(m))
    return tuple(section for section in found if section.blocks)


def of_channel(view: View, name: str) -> View:
    """A view of one channel alone."""
    return replace(
        view,
        channels=tuple(each for each in view.channels if each.channel == name),
        cells=tuple(each for each in view.cells if each.channel == name),
        campaigns=tuple(each for each in view.campaigns if each.channel == name),
    )


# -- what a number hangs on -------------------------------------------------------------------------------------------


def _hangs(m: Material) -> Section:
    return Section("hangs", "What each number hangs on", "understand", _lead(m), _hang_blocks(m))


def _hang_blocks(m: Material) -> tuple[Block, ...]:
    """Sources left out one by one, and how far off one would have to be; nothing where no number is shown."""
    frame, tipping = part_frames.left_out(m.view), part_frames.tipping(m.view)
    if not len(frame):
        return ()
    blocks: list[Block] = [
        ChartBlock(
            left_out_charts.left_out(frame, m.view.break_even).to_dict(validate=False),
            title="The unified number with one source left out",
            caption="The thick line has all sources, each other one all but one, with 90 % intervals. Words stand "
            f"where the money would move otherwise.{m.caveat}",
            height=90 + frame["channel"].nunique() * (9 + LINE * frame["left_out"].nunique()),
            file="left-out.csv",
            least=LEAST,
        )
    ]
    if len(tipping):
        blocks.append(
            ChartBlock(
                left_out_charts.tipping(tipping).to_dict(validate=False),
                title="How wrong a source would have to be before the money moved otherwise",
                caption='Beyond what is allowed for already. The shorter the line, the less it takes; "all the same": '
                "no error up to tenfold would do. A threshold, so that it has no interval; tests are judged by leaving "
                f"them out.{m.caveat}",
                height=90 + tipping["channel"].nunique() * (9 + LINE * tipping["source"].nunique()),
                file="tipping.csv",
                least=LEAST,
            )
        )
    return tuple(blocks)


def _lead(m: Material) -> Text:
    frame = part_frames.left_out(m.view)
    turning = list(dict.fromkeys(frame.loc[frame["turns"], "channel"]))
    said: Text = "Whichever single source is left out, money would move the same way."
    if turning:
        said = joined("With one source left out, money would move otherwise on ", names(turning), ".")
    errors = [
        (max(tip.overstates, 1 / tip.overstates), tip.overstates > 1, c.channel, source)
        for c in m.view.channels
        for source, tip in c.tipping.items()
    ]
    if not errors:
        return said
    factor, much, channel, source = min(errors)
    words = f", where {NAMES[source]} need only say {ratio(factor)} times too {'much' if much else 'little'}."
    return joined(said, " The least error is enough on ", names([channel]), words)


# -- cells and campaigns ----------------------------------------------------------------------------------------------


def _cells(m: Material) -> Section:
    lead = "The unified return of the money that was spent then, carry-over included."
    return Section("when", "When and where each channel paid", "understand", lead, _cell_blocks(m))


def _cell_blocks(m: Material) -> tuple[Block, ...]:
    """By time; by market too, where the view tells markets apart."""
    frame = part_frames.cells(m.view)
    every, apart = frame[frame["market"] == ""], frame[frame["market"] != ""]
    blocks: list[Block] = []
    if every["start"].nunique() > 1:
        blocks.append(
            ChartBlock(
                cell_charts.over_time(frame, m.view.break_even).to_dict(validate=False),
                title="Unified return over time",
                caption=f"Line: median; band: 90 % interval; dashed: break-even ({ratio(m.view.break_even)}). All "
                f"markets together.{m.caveat}",
                height=60 + 195 * -(-every["channel"].nunique() // 3),
                file="over-time.csv",
            )
        )
    if len(apart):
        rows = -(-apart["channel"].nunique() // 2)
        blocks.append(
            ChartBlock(
                cell_charts.by_market(frame).to_dict(validate=False),
                title="Where it paid: the chance that the return exceeds break-even",
                caption="Blue: it surely paid; orange: it surely did not; grey: nobody knows. Medians and intervals "
                f"stand in the csv.{m.caveat}",
                height=80 + rows * (125 + LINE * apart["market"].nunique()),
                file="markets.csv",
            )
        )
    return tuple(blocks)


def _campaigns(m: Material) -> Section:
    lead = (
        f"{count(len(m.view.campaigns), 'campaign')}: each channel's unified total, split as attribution splits its "
        "credit. How far attribution errs between campaigns of one channel is not known and not in the intervals."
    )
    return Section("campaigns", "Campaigns", "understand", lead, _campaign_blocks(m))


def _campaign_blocks(m: Material) -> tuple[Block, ...]:
    """Campaigns below channels; nothing where attribution does not tell them apart."""
    frame = part_frames.campaigns(m.view)
    known = set(frame["quantity"])
    drawn: dict[str, tuple[str, Layers]] = {}
    if "iroas" in known:
        drawn["campaigns.csv"] = ("What each campaign returned", cell_charts.campaigns(frame, m.view.break_even))
    if "value" in known:
        drawn["campaign-values.csv"] = ("What each campaign brought", cell_charts.campaign_values(frame))
    return tuple(
        ChartBlock(
            chart.to_dict(validate=False),
            title=title,
            caption=f"Medians with 90 % intervals.{m.caveat}",
            height=70 + 22 * frame["campaign"].nunique(),
            file=file,
        )
        for file, (title, chart) in drawn.items()
    )
