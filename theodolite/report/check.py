"""The third part of the report: whether the data and the model can be trusted, and what made every number."""

from collections.abc import Sequence

import pandas as pd

from measurement import charts
from measurement.errors import Problem
from theodolite.report import verdict
from theodolite.report.material import Material
from theodolite.report.page import (
    Block,
    Cell,
    ChartBlock,
    Column,
    Fact,
    Facts,
    Fold,
    Points,
    Prose,
    Section,
    TableBlock,
    Tone,
)
from theodolite.report.words import count, number, percent

LEVELS: dict[str, tuple[str, Tone]] = {
    "error": ("error", "caution"),
    "warning": ("warning", "caution"),
    "note": ("note", "plain"),
}


def sections(material: Material) -> tuple[Section, ...]:
    """The sections for those who check, but for what made the report, which ends it."""
    return (
        verdict.section(material),
        fit_section(material),
        convergence_section(material),
        data_section(material),
    )


def fit_section(m: Material) -> Section:
    """Whether the model follows the outcome."""
    q = m.frames.quality
    narrow = q.inside < 0.8
    what = "A close fit alone proves little: a model can follow sales closely and still credit the wrong channel. "
    what += "That is what the tests are for." if m.evidence else "Only a test could tell."
    facts = Facts(
        (
            Fact(
                "Followed",
                percent(q.r2, 1),
                f"of the differences between {m.period}s; {percent(q.r2_known, 1)} without the demand it infers",
            ),
            Fact("Typical miss", percent(q.error, 1), f"of a {m.period}'s outcome"),
            Fact(
                "Inside the band",
                percent(q.inside),
                f"of {m.period}s; it should be about 90\u00a0%",
                tone="caution" if narrow else "plain",
            ),
        )
    )
    chart = ChartBlock(
        charts.fit(m.frames.fit, m.unit).to_dict(validate=False),
        title="The model against what happened",
        caption=f"Dots: actual, all markets together. Line and band: the model's median and 90 % interval.{m.caveat}",
        height=280,
        file="fit.csv",
    )
    blocks: list[Block] = [facts, chart]
    if narrow:
        words = (
            "The model is surer of itself than it should be: more periods than one in ten fall outside its band. "
            "Take its intervals as too narrow."
        )
        blocks.append(Prose((words,), tone="caution"))
    return Section("fit", "Does the model follow the outcome?", "check", lead=what, blocks=tuple(blocks))


def convergence_section(m: Material) -> Section:
    """Whether the computation settled."""
    d = m.diagnosis
    if m.converged:
        lead = "Yes. Independent runs of the computation arrived at the same answer, with enough draws to state it."
    else:
        lead = (
            "No. The computation did not settle, so its numbers could change if it ran longer. "
            "Do not decide on them; fit again with more draws."
        )
    facts = Facts(
        (
            Fact(
                "Largest R-hat",
                f"{d.rhat:.3f}",
                "1 means that all runs agree; below 1.01 is needed",
                _tone(d.rhat < 1.01),
            ),
            Fact(
                "Fewest effective draws",
                number(d.ess),
                "of any reported number; 400 are needed",
                _tone(d.ess >= 400),
            ),
            Fact(
                "Divergent draws",
                f"{d.divergences} of {d.draws:,}",
                "where the computation lost its way; at most 2 in 1,000",
                _tone(d.divergences <= 0.002 * d.draws),
            ),
            Fact(
                "Time",
                f"{d.seconds:.0f}\u00a0s",
                "for the fits with and without tests" if m.evidence else "for the fit",
            ),
        )
    )
    blocks: list[Block] = [facts]
    if d.reasons:
        blocks.append(Points(d.reasons))
    columns = (Column("Channel"), Column("R-hat", "largest", True), Column("Effective draws", "fewest", True))
    rows = tuple(
        (Cell(name), Cell(f"{rhat:.3f}", value=rhat), Cell(number(ess), value=ess))
        for name, (rhat, ess) in d.channels.items()
    )
    blocks.append(Fold("Channel by channel", (TableBlock(columns, rows, "", "convergence.csv"),)))
    return Section("convergence", "Did the computation settle?", "check", lead=lead, blocks=tuple(blocks))


def _tone(good: bool) -> Tone:
    return "good" if good else "caution"


def data_section(m: Material) -> Section:
    """Whether the data are sound."""
    lead, blocks = data_blocks(m.problems)
    return Section("data", "Are the data sound?", "check", lead=lead, blocks=(*blocks, calendar(m.spend, m.currency)))


def calendar(spend: pd.DataFrame, currency: str) -> ChartBlock:
    """When each channel spent, from `measurement.model_frames.spend_calendar`."""
    return ChartBlock(
        charts.spend_calendar(spend, currency).to_dict(validate=False),
        title="When each channel spent",
        caption="The stronger the colour, the nearer to the channel's own maximum, all markets together. Channels that "
        "are strong at the same times are hard to tell apart; one that never changes cannot be told from the baseline.",
        height=100 + 22 * spend["channel"].nunique(),
        file="spend.csv",
    )


def data_blocks(found: Sequence[Problem]) -> tuple[str, tuple[Block, ...]]:
    """What the checks of the data found: a sentence, and the table where there is anything."""
    if not found:
        return "Nothing was found: no gaps, no duplicates, no channel that a model could not tell apart.", ()
    counts = {level: sum(p.level == level for p in found) for level in LEVELS}
    said = [count(n, level) for level, n in counts.items() if n]
    meaning = "A warning means that the data look wrong; a note, that they are right and hard for a model."
    return f"{', '.join(said)}. {meaning}", (_problems(found),)


def _problems(found: Sequence[Problem]) -> TableBlock:
    order = list(LEVELS)
    rows = tuple(
        (Cell(LEVELS[p.level][0], tone=LEVELS[p.level][1]), Cell(p.message), Cell(p.place or "–"))
        for p in sorted(found, key=lambda p: order.index(p.level))
    )
    return TableBlock((Column("Level"), Column("What was found"), Column("Where")), rows, "", "data-checks.csv")


def provenance_section(m: Material) -> Section:
    """What made every number."""
    versions = ", ".join(f"{name} {version}" for name, version in {**m.diagnosis.versions, **m.view.versions}.items())
    pairs = {
        "Data (hash of the panel)": m.diagnosis.data,
        "Newest event of the store": m.head or "nothing stored",
        "Seed of the fit": str(m.diagnosis.seed),
        "Seed of the reconciliation": str(m.view.seed),
        "Versions": versions,
    }
    rows = tuple((Cell(label), Cell(value)) for label, value in pairs.items())
    derived = TableBlock(
        (Column("What went in"),), tuple((Cell(item),) for item in m.view.derived_from), "", "derived-from.csv"
    )
    lead = (
        "The same data, settings and seed give the same report, byte for byte. These are the fingerprints to compare."
    )
    return Section(
        "provenance",
        "What made this report",
        "check",
        lead=lead,
        blocks=(
            TableBlock((Column("What"), Column("Value")), rows),
            Fold("Everything that went into the unified view", (derived,)),
        ),
    )
