"""Build the documentation into ``site/``: ``python -m docs.build [FOLDER]``.

Markdown by markdown-it-py, code coloured by Pygments, the page around it in the report's own style. The reference of
the Python packages is made from their docstrings. Nothing is loaded from elsewhere, every link within the site is
checked, and a page that no group lists is an error.
"""

import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import resources
from itertools import pairwise
from pathlib import Path
from posixpath import normpath, relpath

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from docs import python_reference, search

SOURCE = Path(__file__).parent
GROUPS: dict[str, tuple[str, ...]] = {
    "Start": ("index.md", "first-study.md", "the-app.md"),
    "Tutorials": ("tutorial-measure.md", "tutorial-plan.md", "tutorial-compare.md", "tutorial-decide.md"),
    "How-to": (
        "plan-a-test.md",
        "choose-the-next-test.md",
        "analyse-a-test.md",
        "keep-a-registry.md",
        "keep-decisions.md",
        "exchange-tests.md",
        "plan-a-budget.md",
        "read-attribution.md",
        "validate-a-model.md",
        "compare-models.md",
        "plan-over-weeks.md",
        "plan-of-record.md",
        "paths.md",
        "warehouse.md",
        "monthly-rhythm.md",
        "keep-a-study-safe.md",
        "ask-by-model.md",
        "pymc.md",
    ),
    "Explanation": (
        "why-calibration.md",
        "what-each-number-means.md",
        "which-method-when.md",
        "limits.md",
        "peers.md",
        "worlds.md",
    ),
    "Mathematics": ("math.md", "math_mmm.md", "math_*.md"),
    "Reference": ("reference/configuration.md", "reference/cli.md", "reference/*.md"),
}
ALWAYS_OPEN = ("Start", "Tutorials")
PICTURES = {".png", ".svg", ".webp"}
LIGHT, DARK = HtmlFormatter(style="friendly"), HtmlFormatter(style="github-dark")


class BrokenDocs(Exception):
    """Everything that is wrong with the pages, one line each."""


@dataclass(frozen=True, slots=True)
class Page:
    """One page: where it stands (``reference/cli.md``), its title, body and sections, and where it links to."""

    name: str
    title: str
    body: str
    sections: tuple[search.Section, ...]
    anchors: frozenset[str]
    links: tuple[str, ...]

    @property
    def address(self) -> str:
        """Its file within the site."""
        return self.name.removesuffix(".md") + ".html"


def slug(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[\s_]+", "-", re.sub(r"[^\w\s-]", "", heading.lower())).strip("-")


def parse(name: str, text: str) -> Page:
    """Read one page of Markdown; its raw HTML is shown as text."""
    reader = MarkdownIt("commonmark", {"html": False, "highlight": _coloured}).enable(["table", "strikethrough"])
    tokens = reader.parse(text)
    anchors: list[str] = []
    title = name
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            words = "".join(child.content for child in inline.children or ())
            title = words if opening.tag == "h1" else title
            anchors.append(slug(words))
            opening.attrSet("id", anchors[-1])
    links: list[str] = []
    for token in _all(tokens):
        if token.attrGet("style") == "text-align:right":  # the page's policy lets no style stand in the text
            token.attrs = {"class": "number"}
        if token.type == "fence" and "." in (file := token.info.split(" ")[-1]):
            token.attrSet("title", file)  # docs.css shows it above the block
        for attribute in ("href", "src"):
            target = token.attrGet(attribute)
            if isinstance(target, str) and not re.match(r"[a-z]+:", target):
                links.append(target)
                token.attrSet(attribute, re.sub(r"\.md(?=#|$)", ".html", target))
    body = reader.renderer.render(tokens, reader.options, {})
    body = body.replace("<table>", '<div class="scroll" tabindex="0"><table>').replace("</table>", "</table></div>")
    return Page(name, title, body, search.sections(tokens), frozenset(anchors), tuple(links))


def _all(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        yield token
        yield from _all(token.children or [])


def _coloured(code: str, language: str, _: str) -> str:
    try:
        return str(highlight(code, get_lexer_by_name(language or "text", stripnl=False), HtmlFormatter(nowrap=True)))
    except ClassNotFound:
        return ""


def load(source: Path = SOURCE) -> dict[str, list[Page]]:
    """Every page, in its group.

    Raises:
        BrokenDocs: With pages in no group, links that lead nowhere, anchors that are not there.
    """
    names = sorted(path.relative_to(source).as_posix() for path in source.rglob("*.md"))
    grouped: dict[str, list[Page]] = {}
    seen: set[str] = set()
    for group, patterns in GROUPS.items():
        found = [path for pattern in patterns for path in sorted(source.glob(pattern))]
        listed = list(dict.fromkeys(path.relative_to(source).as_posix() for path in found))
        fresh = [name for name in listed if name not in seen]
        seen |= set(fresh)
        grouped[group] = [parse(name, (source / name).read_text(encoding="utf-8")) for name in fresh]
    if source == SOURCE:
        grouped["Python"] = [parse(name, text) for name, text in python_reference.pages().items()]
    faults = [f"{name}: no group of docs/build.py lists it" for name in names if name not in seen]
    pages = {page.name: page for group in grouped.values() for page in group}
    faults += [fault for page in pages.values() for fault in _broken_links(page, pages, source)]
    if faults:
        raise BrokenDocs("\n".join(faults))
    return grouped


def _broken_links(page: Page, pages: dict[str, Page], source: Path) -> Iterator[str]:
    for link in page.links:
        path, _, anchor = link.partition("#")
        target = normpath(f"{page.name}/../{path}") if path else page.name
        if target in pages:
            if anchor and anchor not in pages[target].anchors:
                yield f"{page.name}: '{link}' names no heading of {target}"
        elif Path(target).suffix not in PICTURES or not (source / target).is_file():
            yield f"{page.name}: '{link}' leads nowhere"


def build(target: Path, source: Path = SOURCE) -> list[Path]:
    """Write the site and return its pages. Only files that an earlier build wrote are replaced or removed."""
    grouped = load(source)
    _clear(target)
    environment = Environment(loader=FileSystemLoader(SOURCE / "theme"), autoescape=True, undefined=StrictUndefined)
    template = environment.get_template("page.html.j2")
    written = []
    order = [page for group in grouped.values() for page in group]
    for before, page, after in zip([None, *order], order, [*order[1:], None], strict=False):
        place = f"{page.address}/.."
        groups = {title: [_seen_from(place, other) for other in group] for title, group in grouped.items()}
        html = template.render(
            page=page,
            body=Markup(page.body),  # noqa: S704 - markdown-it has escaped it
            groups=groups,
            open=[title for title, group in grouped.items() if page in group or title in ALWAYS_OPEN],
            toc=[section for section in page.sections if f'<h2 id="{section.anchor}"' in page.body],
            before=before and _seen_from(place, before),
            after=after and _seen_from(place, after),
            home=relpath(".", place),
        )
        file = target / page.address
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(html, encoding="utf-8", newline="\n")
        written.append(file)
    entries = search.index((page.address, page.title, page.sections) for page in order)
    script = (SOURCE / "theme" / "search.js").read_text(encoding="utf-8")
    for name, text in (("style.css", _style()), ("search.js", script), ("search-index.js", entries)):
        (target / name).write_text(text, encoding="utf-8", newline="\n")
    for picture in sorted(p for p in source.rglob("*") if p.suffix in PICTURES):
        place = target / picture.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(picture, place)
    return written


def _seen_from(place: str, page: Page) -> Page:
    return replace(page, name=relpath(page.address, place))


def _clear(target: Path) -> None:
    if target.is_dir() and any(target.iterdir()):
        if not (target / "style.css").is_file():
            raise BrokenDocs(f"{target} holds something that is no documentation site; nothing was written")
        shutil.rmtree(target)
    target.mkdir(parents=True, exist_ok=True)


def _style() -> str:
    templates = resources.files("theodolite.report") / "templates"
    report = "".join((templates / name).read_text(encoding="utf-8") for name in ("blocks.css", "style.css"))
    own = (SOURCE / "theme" / "docs.css").read_text(encoding="utf-8")
    dark = f"@media (prefers-color-scheme: dark) {{\n{DARK.get_style_defs('pre')}\n}}"
    return f"{report}\n{LIGHT.get_style_defs('pre')}\n{dark}\n{own}"


def main() -> None:
    """Build into the folder that is named, or ``site``."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "site")
    try:
        written = build(target)
    except BrokenDocs as fault:
        sys.exit(str(fault))
    print(f"Wrote {len(written)} pages: {target / 'index.html'}")


if __name__ == "__main__":
    main()
