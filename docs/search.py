"""What the site's search box looks through: every section of every page, as a script that the box loads when used."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from markdown_it.token import Token


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a page below one heading.

    Attributes:
        heading: The heading's words.
        anchor: Its anchor; empty for what comes before the second heading.
        text: All words of it, tables and code too.
    """

    heading: str
    anchor: str
    text: str


def sections(tokens: Iterable[Token]) -> tuple[Section, ...]:
    """Cut a page at its headings; the tokens' headings have their anchors already."""
    found: list[tuple[str, str, list[str]]] = []
    heading: Token | None = None
    for token in tokens:
        if token.type == "heading_open":
            heading = token
        elif token.type == "inline" and heading is not None:
            anchor = "" if heading.tag == "h1" else str(heading.attrGet("id") or "")
            found.append((words(token), anchor, []))
            heading = None
        elif token.type in ("inline", "fence", "code_block"):
            if not found:
                found.append(("", "", []))
            found[-1][2].append(words(token))
    return tuple(Section(title, anchor, " ".join(" ".join(parts).split())) for title, anchor, parts in found)


def words(token: Token) -> str:
    """What a reader sees of a token."""
    if token.children is None:
        return token.content
    return "".join(" " if child.type.endswith("break") else child.content for child in token.children)


def index(pages: Iterable[tuple[str, str, tuple[Section, ...]]]) -> str:
    """The script: one entry of title, heading, address and text for every section.

    Args:
        pages: Address, title and sections of each page.
    """
    entries = [
        [title, section.heading, address + (f"#{section.anchor}" if section.anchor else ""), section.text]
        for address, title, parts in pages
        for section in parts
    ]
    return f"window.SITE = {json.dumps(entries, ensure_ascii=False, separators=(',', ':'))};\n"
