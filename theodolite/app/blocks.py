"""What pages of the app hold beside the report's blocks: forms, buttons, boards, empty states, jobs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from theodolite.report.page import Block as ReportBlock
from theodolite.report.page import Section, Text, Tone

FieldKind = Literal[
    "text", "number", "date", "select", "textarea", "prose", "checkbox", "choices", "hidden", "range", "password"
]


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form.

    Attributes:
        name: Its name in the request.
        label: What it asks for.
        kind: How it is filled in.
        value: What stands in it.
        help: A line on what is allowed and what happens where it is left empty.
        unit: Unit of a number.
        options: Of a select, and of choices that are ticked: value and label.
        limits: Of numbers: least, most and step, as texts; empty where there is none.
        required: Whether it must be filled in.
        chosen: Of choices: the values that are ticked.
        error: What is wrong with what stands in it.
        money: Of a range in percent: the money that 100 % are, shown while it moves.
    """

    name: str
    label: Text
    kind: FieldKind = "text"
    value: str = ""
    help: str = ""
    unit: str = ""
    options: tuple[tuple[str, str], ...] = ()
    limits: tuple[str, str, str] = ("", "", "")
    required: bool = False
    chosen: tuple[str, ...] = ()
    error: str = ""
    money: float | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """A form; without script it posts and the answer is a page.

    Attributes:
        action: Where it goes.
        fields: Its fields.
        submit: What its button says.
        method: ``post`` where it changes something or starts work, ``get`` where it only asks.
        check: Where its entries are checked while they are typed; nothing is checked where it is empty.
        more: Fields that few need, folded away.
        open: Whether these are shown at once.
        key: What the ids of its fields begin with, unique on its page.
        confirm: What is asked before it is sent, where there is no way back; nothing is asked where it is empty.
        currency: Of ranges with money: its unit; their sum is shown below them.
    """

    action: str
    fields: tuple[Field, ...]
    submit: str
    method: Literal["get", "post"] = "post"
    check: str = ""
    more: tuple[Field, ...] = ()
    open: bool = False
    key: str = "field"
    confirm: str = ""
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """A link that looks like a button, or (with ``fields``) a form of one button.

    Attributes:
        label: What it says.
        action: Where it leads.
        fields: What it posts; ``None`` for a link.
        strong: Whether it is the page's main action.
        confirm: As for a form.
    """

    label: str
    action: str
    fields: Mapping[str, str] | None = None
    strong: bool = False
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class Actions:
    """Buttons side by side."""

    buttons: tuple[Button, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    """There is nothing yet: what would stand here, and what to do."""

    title: Text
    words: Text
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Reminder:
    """Something to see to: what it is, and where to go for it."""

    words: Text
    label: str
    link: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Reminders:
    """What is to be seen to, the most pressing first."""

    items: tuple[Reminder, ...]


@dataclass(frozen=True, slots=True)
class Drawer:
    """Blocks that open on demand, forms among them."""

    summary: Text
    blocks: tuple["Block", ...]
    open: bool = False


@dataclass(frozen=True, slots=True)
class Card:
    """One card of a board: a name, where it leads, and a few lines."""

    title: str
    link: str
    lines: tuple[Text, ...] = ()
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Board:
    """Cards in columns."""

    columns: tuple[tuple[str, tuple[Card, ...]], ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """Links of which one is current: the channels of a study."""

    label: str
    links: tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True, slots=True)
class Working:
    """A job: how far it is. Asks ``poll`` for itself again while it runs.

    Attributes:
        title: What is done.
        words: How far.
        done: Share that is done; ``None`` where nobody knows.
        poll: Where to ask again; empty once it has ended.
        tone: How it ended.
        buttons: What to do.
        reload: Whether the page is to be read again: what it shows has changed.
    """

    title: str
    words: str
    done: float | None = None
    poll: str = ""
    tone: Tone = "plain"
    buttons: tuple[Button, ...] = ()
    reload: bool = False


@dataclass(frozen=True, slots=True)
class Faults:
    """What a check found of single fields of a form: the page puts each beside its field."""

    fields: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rendered:
    """Blocks that a worker process has rendered with these same templates."""

    html: str


type Block = ReportBlock | Form | Actions | Empty | Reminders | Drawer | Board | Choice | Working | Faults | Rendered


@dataclass(frozen=True, slots=True)
class Part:
    """A section of a page.

    Attributes:
        id: Anchor, unique on the page.
        title: The question or its subject; without one, the blocks stand alone.
        lead: The answer in a sentence.
        blocks: The rest.
    """

    id: str
    title: str = ""
    lead: Text = ""
    blocks: tuple[Block, ...] = ()

    @property
    def level(self) -> int:
        """Level of the headings in its blocks: one below its own, where it has one."""
        return 3 if self.title else 2

    @classmethod
    def of(cls, section: Section) -> "Part":
        """A section of the report."""
        return cls(section.id, section.title, section.lead, section.blocks)


@dataclass(frozen=True, slots=True)
class View:
    """A page of the app: what stands between its navigation and its foot."""

    title: Text
    subtitle: Text = ""
    parts: tuple[Part, ...] = ()
    notice: Text = ""
    actions: tuple[Button, ...] = field(default=())

    @property
    def under_way(self) -> bool:
        """Whether some of it is still being worked out."""
        return any(isinstance(block, Working) and block.poll for part in self.parts for block in part.blocks)
