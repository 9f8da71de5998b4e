"""The verdict of ``theodolite mmm validate`` in the report: what speaks against the model, and what to do about it."""

from typing import Any

from theodolite.report.material import Material
from theodolite.report.page import Block, Cell, Column, Fact, Facts, Prose, Section, TableBlock, Text, Tone
from theodolite.report.words import percent

TITLE = "What speaks against the model"
LEADS = {
    "good": "Good: nothing was found that speaks against the model. It predicts; whether it credits the right channel, "
    "only a test can tell.",
    "usable with care": "Usable with care: its numbers stand, with what is said here beside them.",
    "do not use": "Do not use it yet: something must be mended first.",
}
TONES: dict[str, Tone] = {"good": "good", "usable with care": "plain", "do not use": "caution"}
LEVELS: dict[str, tuple[str, Tone]] = {
    "stop": ("wrong", "caution"),
    "care": ("care", "caution"),
    "note": ("note", "plain"),
}


def section(m: Material) -> Section:
    """The stored judgement of the fit, or how to get one."""
    found = m.validation
    if found is None:
        asked = "Nobody has judged this fit yet. Run theodolite mmm validate, then write the report again."
        return Section("verdict", TITLE, "check", lead=asked)
    blocks: list[Block] = [Facts(_facts(found, m.period))]
    if found["reasons"]:
        columns = (Column("Weight"), Column("What was found", wide=True), Column("What to do", wide=True))
        rows = tuple(
            (
                Cell(LEVELS[reason["level"]][0], tone=LEVELS[reason["level"]][1]),
                Cell(_sentence(reason["words"])),
                Cell(_sentence(reason["advice"])),
            )
            for reason in found["reasons"]
        )
        caption: Text = (
            "“Wrong” rules the model out, “care” asks for a word beside its numbers, a note changes nothing."
        )
        blocks.append(TableBlock(columns, rows, caption, "verdict.csv"))
    elif found["verdict"] == "good":
        blocks.append(Prose(("No reason was found against it.",), tone="muted"))
    return Section("verdict", TITLE, "check", lead=LEADS[found["verdict"]], blocks=tuple(blocks))


def _facts(found: dict[str, Any], period: str) -> tuple[Fact, ...]:
    out, ahead = found["leave_one_out"], found["leave_future_out"]
    facts = [
        Fact("Verdict", found["verdict"], "of theodolite mmm validate", TONES[found["verdict"]]),
        Fact(
            "Cells left out",
            percent(out["coverage_90"]),
            "lie in the 90\u00a0% interval that the others give; 90\u00a0% is right",
        ),
    ]
    if ahead["coverage_90"] is not None:
        detail = f"of the last {ahead['origins']} {period}s lie in the 90\u00a0% interval that the past gives"
        facts.append(Fact(f"One {period} ahead", percent(ahead["coverage_90"]), detail))
    return tuple(facts)


def _sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}".replace("`", "")
