"""What a page is asked, and what pages share: addresses, notices, states in which there is nothing to show yet."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Literal
from urllib.parse import urlencode

from measurement.store import utc_now
from theodolite import results
from theodolite.app.blocks import Block, Button, Empty, Part, Rendered
from theodolite.app.desk import Reading, Stamp
from theodolite.app.shell import fragment
from theodolite.app.who import Who
from theodolite.keys import may
from theodolite.report.material import Material
from theodolite.report.page import Name, TableBlock, Text

State = Literal["no fit", "data changed", "no view", "ready"]


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for a page.

    Attributes:
        reading: The study.
        who: Who asks.
        query: What stands behind the ``?`` of the address.
    """

    reading: Reading
    who: Who
    query: Mapping[str, str]

    @property
    def edits(self) -> bool:
        """Whether who asks may begin work and record tests."""
        return may(self.who.role, "editor")


def link(path: str, /, **query: str) -> str:
    """An address of the app; names stand in its query, whatever they hold."""
    return f"{path}?{urlencode(query)}" if query else path


def channel_link(name: str) -> str:
    """The page of a channel."""
    return link("/channel", name=name)


def test_link(experiment_id: str) -> str:
    """The page of a test."""
    return link("/experiment", id=experiment_id)


def decision_link(decision_id: str) -> str:
    """The page of a decision."""
    return link("/decision", id=decision_id)


def plan_link(name: str) -> str:
    """The page of a plan of record."""
    return link("/plan-of-record", name=name)


def today() -> date:
    """The day, in UTC."""
    return utc_now().date()


def state_of(reading: Reading) -> State:
    """How far the study is."""
    fit = next((event for event in reversed(reading.events) if event.kind == results.FIT), None)
    if fit is None:
        return "no fit"
    if fit.payload["data"] != reading.panel.sha256:
        return "data changed"
    return "ready" if reading.last_view() is not None else "no view"


def not_yet(ask: Ask, state: State) -> Empty:
    """What a page shows that needs the unified view, where there is none."""
    who = "" if ask.edits else " Somebody with the role editor begins that."
    match state:
        case "no fit":
            words = (
                "There is no fit yet. It learns from media, outcome and tests what each channel brings; that takes a "
                "few minutes, and you may go on reading meanwhile."
            )
            return Empty("Fit the model first", words + who, work(ask, ("Fit the model", "fit")))
        case "data changed":
            words = "Media or outcome have changed since the last fit, so its numbers are withheld."
            return Empty("Fit the model again", words + who, work(ask, ("Fit the model", "fit")))
        case _:
            words = "There is a fit, and the sources have not been brought together since."
            return Empty("Make the unified view", words + who, work(ask, ("Bring the sources together", "reconcile")))


def work(ask: Ask, *named: tuple[str, str], strong: bool = True) -> tuple[Button, ...]:
    """Buttons that begin work of the kinds named, for those who may."""
    if not ask.edits:
        return ()
    return tuple(
        Button(label, "/jobs", {"kind": kind}, strong=strong and i == 0) for i, (label, kind) in enumerate(named)
    )


def notice(material: Material) -> Text:
    """What a reader must know before any number of the model."""
    if material.converged:
        return ""
    return "The model's computation did not settle: its numbers are provisional. Fit again with more draws."


def linked(block: Block, to: Mapping[str, str]) -> Block:
    """A table whose rows lead to the pages of what they name."""
    if not isinstance(block, TableBlock):
        return block
    rows = tuple((replace(row[0], link=to.get(row[0].text, "")), *row[1:]) for row in block.rows)
    return replace(block, rows=rows)


def kept_parts(ask: Ask, name: object, version: Stamp, make: Callable[[], Iterable[Part]]) -> tuple[Part, ...]:
    """Parts of a page, made and written as HTML once for everybody, until their version changes.

    Their charts take longest; nothing in them may depend on who looks.

    Args:
        ask: The request.
        name: Of these parts, unique in the app.
        version: Of what they are made of, as `Reading.numbers`.
        make: Makes them.
    """

    def made() -> tuple[Part, ...]:
        return tuple(
            replace(part, blocks=(Rendered(fragment(part.blocks, part.id, part.level)),)) if part.blocks else part
            for part in make()
        )

    return ask.reading.kept(("parts", name), version, made)


def study_name(reading: Reading) -> Text:
    """The study's name as a title."""
    return (Name(reading.config.study.name),)
