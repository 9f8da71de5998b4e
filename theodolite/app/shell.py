"""From blocks to HTML: the content of a page, the document around it, and small pages that belong to no study."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment
from markupsafe import Markup

from measurement.version import __version__
from theodolite.app.blocks import Block, Part, View
from theodolite.report.render import environment, numbering

PACKAGE = "theodolite.app"
MENU: tuple[tuple[str, str, str], ...] = (
    ("overview", "/", "Overview"),
    ("channel", "/channel", "Channels"),
    ("experiments", "/experiments", "Experiments"),
    ("plan", "/plan", "Plan"),
    ("attribution", "/attribution", "Attribution"),
    ("model", "/model", "Model"),
    ("decisions", "/decisions", "Decisions"),
    ("data", "/data", "Data"),
    ("jobs", "/jobs", "Jobs"),
)


@dataclass(frozen=True, slots=True)
class Frame:
    """What surrounds the content of a page.

    Attributes:
        study: The study's name.
        current: Key of the page in the menu.
        actor: Who is signed in.
        role: What they may do.
        running: What is being worked on; empty where nothing is.
    """

    study: str
    current: str
    actor: str
    role: str
    running: str = ""


def content(view: View) -> str:
    """What stands in ``<main>``; the same view gives the same text."""
    with numbering():
        return _templates().get_template("content.html.j2").render(view=view)


def fragment(blocks: Sequence[Block], charts: str = "live", level: int = 3) -> str:
    """Some blocks alone, for a page that is there already.

    Args:
        blocks: The blocks.
        charts: What the ids of its charts begin with, so that they differ from those of the page.
        level: Of the headings in them.
    """
    with numbering(charts):
        return _templates().get_template("fragment.html.j2").render(blocks=blocks, parts=(), level=level)


def sections(parts: Sequence[Part], charts: str = "part") -> str:
    """Some parts of a page alone; ``charts`` as for `fragment`."""
    with numbering(charts):
        return _templates().get_template("fragment.html.j2").render(blocks=(), parts=parts)


def document(frame: Frame, title: str, made: str) -> str:
    """The whole page around content that `content` has made."""
    # Marked as safe: it was escaped when it was made.
    body = Markup(made)  # noqa: S704
    return (
        _templates()
        .get_template("document.html.j2")
        .render(frame=frame, title=title, body=body, menu=MENU, version=__version__)
    )


def plain_page(title: str, words: str, sign_in: bool = False) -> str:
    """A page that belongs to no study: a refusal, or the way in."""
    return _templates().get_template("plain.html.j2").render(title=title, words=words, sign_in=sign_in)


@cache
def _templates() -> Environment:
    made = environment(PACKAGE)
    made.filters["rendered"] = Markup  # HTML that these templates made in a worker process
    return made
