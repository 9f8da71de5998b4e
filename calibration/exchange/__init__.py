"""Exchange: tests in the forms that other tools read and write, one module per form with the same names in each.

``read(rows)`` makes fields of a record (`experiments.records`) of each row, ``write(evidence, panel)`` the rows that
the other tool takes; ``None`` where a form goes one way only. What a form does not say (a channel, dates) is given once
for all rows by the caller, and never guessed; a test that a form cannot hold is named with the reason, and never
dropped in silence. Units and the sign of everything: ``docs/exchange-tests.md``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from calibration.evidence import Evidence
from calibration.exchange import geolift, meridian, platform_lift, pymc_marketing, robyn
from calibration.exchange.rows import Row
from measurement.errors import DataError, Problem, did_you_mean, shown
from measurement.panel import Panel

Read = Callable[[Sequence[Row]], list[Row]]
Write = Callable[[Sequence[Evidence], Panel], tuple[list[Row], list[Problem]]]


@dataclass(frozen=True, slots=True)
class Format:
    """One form.

    Attributes:
        name: Its name on every surface.
        about: What it is, in a few words.
        read: From its rows to fields of records; ``None`` where it is written only.
        write: From evidence to its rows, and what could not be written; ``None`` where it is read only.
        suffix: Ending of the files that are written.
    """

    name: str
    about: str
    read: Read | None
    write: Write | None
    suffix: str


FORMATS: Mapping[str, Format] = {
    each.name: each
    for each in (
        Format(meridian.NAME, meridian.ABOUT, meridian.read, meridian.write, ".json"),
        Format(pymc_marketing.NAME, pymc_marketing.ABOUT, pymc_marketing.read, pymc_marketing.write, ".csv"),
        Format(robyn.NAME, robyn.ABOUT, robyn.read, robyn.write, ".csv"),
        Format(geolift.NAME, geolift.ABOUT, geolift.read, None, ".csv"),
        Format(platform_lift.NAME, platform_lift.ABOUT, platform_lift.read, None, ".csv"),
    )
}


def format_of(name: str, *, writing: bool = False) -> Format:
    """The form of that name.

    Args:
        name: Its name.
        writing: Whether it is to be written.

    Raises:
        DataError: Where there is none, or it goes the other way only.
    """
    known = [each.name for each in FORMATS.values() if each.write or not writing]
    if name not in known:
        words = f"found '{shown(name)}'{did_you_mean(name, known)}; allowed are {', '.join(known)}"
        raise DataError([Problem(f"--format: {words}", column="format", code="unknown-format")])
    return FORMATS[name]


__all__ = ["FORMATS", "Format", "Row", "format_of"]
