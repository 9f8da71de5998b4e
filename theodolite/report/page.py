"""What a report is made of: a page of sections of blocks, as plain frozen values.

All text is literal: there is no markup to escape from. Emphasis and the names that users gave are spans of their own
(`Strong`, `Name`), so that a name cannot turn into emphasis, and a right-to-left name cannot turn the sentence around.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Reader = Literal["decide", "understand", "check"]
Tone = Literal["plain", "good", "caution", "muted"]


@dataclass(frozen=True, slots=True)
class Name:
    """A name that a user gave (channel, market, test); shown as it is, kept apart from the text around it."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """A few words that carry the sentence."""

    text: str


type Span = str | Name | Strong
type Text = str | tuple[Span, ...]


def plain(text: Text) -> str:
    """A text without its spans."""
    return text if isinstance(text, str) else "".join(s if isinstance(s, str) else s.text for s in text)


@dataclass(frozen=True, slots=True)
class Prose:
    """Paragraphs."""

    paragraphs: tuple[Text, ...]
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Points:
    """A list of short sentences, in order of importance; numbered when ``numbered``."""

    items: tuple[Text, ...]
    numbered: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One key figure: what it is, its value with unit, and one line on how to read it."""

    label: Text
    value: str
    detail: Text = ""
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Facts:
    """Key figures side by side."""

    items: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """An interval drawn in a cell, on its column's scale; ``mark`` is drawn across it (a known truth)."""

    low: float
    middle: float
    high: float
    mark: float | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table.

    Attributes:
        title: Heading.
        unit: Unit, shown small under the heading.
        numeric: Whether cells are numbers (right-aligned).
        scale: Ends of the scale on which the column's ranges are drawn.
        reference: A value marked on that scale (break-even).
        wide: Whether its cells hold sentences.
        key: Its heading in the csv, where machines know it by another name.
    """

    title: str
    unit: str = ""
    numeric: bool = False
    scale: tuple[float, float] | None = None
    reference: float | None = None
    wide: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell: its text, a second small line, and for machines the number itself.

    Attributes:
        text: What is shown.
        detail: A second, smaller line.
        tone: Colour of meaning.
        value: The number behind the text; the csv holds it in place of the text.
        range: An interval that is drawn beside the text; the csv holds its ends in columns of their own.
        link: Where the text leads, in the app; a report leads nowhere.
    """

    text: str
    detail: str = ""
    tone: Tone = "plain"
    value: float | None = None
    range: Range | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class TableBlock:
    """A table; the first column names the row. With ``file``, the table can be taken home as csv under that name."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: Text = ""
    file: str | None = None


@dataclass(frozen=True, slots=True)
class ChartBlock:
    """A Vega-Lite chart with its data inline, a title that says what it shows and a caption on how to read it.

    Attributes:
        spec: The Vega-Lite specification, as Altair's ``to_dict`` gives it.
        title: What it shows.
        caption: How to read it.
        height: Room kept for it in pixels until it is drawn.
        file: Name of the csv of its data.
        least: Least width in pixels at which it can be read; a narrower screen scrolls it sideways.
    """

    spec: Mapping[str, Any]
    title: Text
    caption: Text = ""
    height: int = 260
    file: str | None = None
    least: int = 0


@dataclass(frozen=True, slots=True)
class Heading:
    """A subheading within a section."""

    text: Text


@dataclass(frozen=True, slots=True)
class Fold:
    """Blocks that open on demand: details that most readers skip. Printed open."""

    summary: Text
    blocks: tuple["Block", ...]


type Block = Prose | Points | Facts | TableBlock | ChartBlock | Heading | Fold


@dataclass(frozen=True, slots=True)
class Section:
    """One question a reader has, answered.

    Attributes:
        id: Anchor, unique on the page: lower-case letters, digits and hyphens.
        title: The question or its subject.
        reader: For whom: to decide, to understand, to check.
        lead: The answer in a sentence.
        blocks: The rest.
    """

    id: str
    title: str
    reader: Reader
    lead: Text = ""
    blocks: tuple[Block, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """The whole report.

    Attributes:
        title: What it is about.
        subtitle: Period, markets, currency.
        sections: In reading order; sections of one reader stand together.
        notice: Something that a reader must know before any number (a fit that did not converge).
        meta: What made it, as label and value pairs: hashes, seed, versions.
        leads: What each part is for, where it is not what a study's report is for.
    """

    title: Text
    subtitle: Text = ""
    sections: tuple[Section, ...] = ()
    notice: Text = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    leads: Mapping[Reader, str] = field(default_factory=dict)
