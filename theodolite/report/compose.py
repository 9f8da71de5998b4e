"""Compose: from a study's material to the page of its report, and to the file."""

from collections.abc import Mapping
from pathlib import Path

from theodolite.report import check, decide, journeys, next_test, track_record, understand
from theodolite.report import truth as known
from theodolite.report.material import Material, Reportable, gather
from theodolite.report.page import Name, Page
from theodolite.report.render import write_page


def compose(material: Material) -> Page:
    """The report's page: to decide, to understand, to check."""
    m = material
    first, last = m.view.window
    every = {"day": "daily", "week": "weekly", "month": "monthly"}[m.period]
    return Page(
        title=(Name(m.name),),
        subtitle=f"What advertising brings, {first} to {last} · {every} · {m.markets} · {m.currency}",
        sections=(
            *decide.sections(m),
            *((next_test.section(m.next_tests),) if m.next_tests is not None else ()),
            *known.sections(m),
            *understand.sections(m),
            *check.sections(m),
            *track_record.sections(m.scored),
            *journeys.checks(m.journeys),
            check.provenance_section(m),
        ),
        notice="" if m.converged else _notice(m),
        meta={
            "Data": m.diagnosis.data,
            "Store": m.head or "nothing stored",
            "Seed": str(m.diagnosis.seed),
            "Version": m.diagnosis.versions.get("theodolite", ""),
        },
    )


def _notice(m: Material) -> str:
    reasons = "; ".join(m.diagnosis.reasons)
    return (
        "The model's computation did not settle"
        + (f" ({reasons})" if reasons else "")
        + ". Every number that comes from it "
        "is provisional and may change: fit again with more draws before deciding anything."
    )


def write(study: Reportable, target: Path, truth: Mapping[str, float] | None = None) -> Path:
    """Write the report of a study with a fit; one HTML file that holds everything and works offline.

    Args:
        study: The study.
        target: The file; replaced as a whole.
        truth: True iROAS per channel, where known (a simulated company).

    Raises:
        StoreError: Where there is no fit of today's data.
        DataError: Where the file cannot be written.
    """
    return write_page(compose(gather(study, truth)), target)
