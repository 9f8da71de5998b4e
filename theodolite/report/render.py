"""From a `Page` to one HTML file: escaped by construction, without an outside address, the same bytes every time."""

import base64
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from measurement.whole_file import whole_file
from theodolite.report.bundle import vega_bundle
from theodolite.report.csv_text import as_link, records_csv, table_csv
from theodolite.report.page import ChartBlock, Column, Page, Range, Reader, Section, plain
from theodolite.report.specs import records, script_json, tidy

PARTS: dict[Reader, tuple[str, str]] = {
    "decide": ("Decide", "what to change, how sure, what it should bring"),
    "understand": ("Understand", "where the numbers come from, channel by channel"),
    "check": ("Check", "whether the data and the model can be trusted"),
}


@dataclass(frozen=True, slots=True)
class _Part:
    reader: Reader
    title: str
    lead: str
    sections: tuple[Section, ...]


@dataclass(frozen=True, slots=True)
class _Chart:
    id: str
    json: Markup
    link: str | None


@dataclass(slots=True)
class _Charts:
    """Numbers the charts of one page in their order."""

    prefix: str
    count: int = 0

    def prepare(self, block: ChartBlock) -> _Chart:
        self.count += 1
        spec = tidy(block.spec)
        link = as_link(records_csv(records(spec))) if block.file else None
        # Marked as safe: `script_json` leaves no <, > or & in it.
        return _Chart(f"{self.prefix}-{self.count}", Markup(script_json(spec)), link)  # noqa: S704


_CHARTS: ContextVar[_Charts] = ContextVar("charts")


@contextmanager
def numbering(prefix: str = "chart") -> Iterator[None]:
    """Number the charts of what is rendered inside from 1; their ids begin with ``prefix``."""
    token = _CHARTS.set(_Charts(prefix))
    try:
        yield
    finally:
        _CHARTS.reset(token)


@dataclass(frozen=True, slots=True)
class _Places:
    """Where a range stands on its column's scale, in percent of the width."""

    low: float
    middle: float
    high: float
    reference: float | None
    mark: float | None


def render(page: Page) -> str:
    """The page as one HTML document.

    Its Content-Security-Policy allows the scripts and the style inside it, by their hashes, and nothing else: no
    evaluation of text as code, no request of any kind. Charts are drawn with Vega's expression interpreter.

    Returns:
        The document; the same page gives the same text.

    Raises:
        ValueError: Where two sections share an id, or a chart refers to an address.
    """
    ids = [section.id for section in page.sections]
    if len(set(ids)) != len(ids):
        raise ValueError(f"sections share an id: {ids}")
    body = environment().get_template("page.html.j2")
    style = asset("blocks.css") + asset("style.css")
    script = asset("charts.js") + asset("report.js")
    bundle = vega_bundle() if _has_chart(page) else ""
    scripts = [script, *([bundle] if bundle else [])]
    with numbering():
        return body.render(
            page=page,
            parts=[
                _Part(reader, title, page.leads.get(reader, lead), sections)
                for reader, (title, lead) in PARTS.items()
                if (sections := tuple(s for s in page.sections if s.reader == reader))
            ],
            policy=_policy(scripts, style),
            # Marked as safe: files of this package and the bundle made by an installed one, no user's text in them.
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            bundle=Markup(bundle),  # noqa: S704
            charts=bool(bundle),
        )


def write_page(page: Page, target: Path) -> Path:
    """Render to a file; a reader never sees half of it.

    Raises:
        DataError: Where the file cannot be written.
    """
    data = render(page).encode("utf-8", "replace")
    with whole_file(target, "the report") as draft:
        draft.write_bytes(data)
    return target


@cache
def environment(*packages: str) -> Environment:
    """The templates of the report, and before them those of other packages, with the filters that blocks need.

    What holds charts is rendered within `numbering`.
    """
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "theodolite.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "kind": lambda value: type(value).__name__,
        "prepare_chart": lambda block: _CHARTS.get().prepare(block),
        "table_link": lambda table: as_link(table_csv(table)),
        "places": _places,
        "plain": plain,
    }
    return made


def _places(span: Range, column: Column) -> _Places:
    low, high = column.scale or (0.0, 1.0)

    def place(value: float) -> float:
        return round(100.0 * min(1.0, max(0.0, (value - low) / (high - low))), 1) if high > low else 50.0

    reference = None if column.reference is None else place(column.reference)
    mark = None if span.mark is None else place(span.mark)
    return _Places(place(span.low), place(span.middle), place(span.high), reference, mark)


def asset(name: str) -> str:
    """A style or script of the report, as text."""
    text = resources.files("theodolite.report").joinpath("templates", name).read_text(encoding="utf-8")
    return text.replace("\r\n", "\n")


def _policy(scripts: list[str], style: str) -> str:
    allowed = {
        "default-src": "'none'",
        "script-src": " ".join(_source_hash(script) for script in scripts),
        "style-src": _source_hash(style),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    return "; ".join(f"{directive} {value}" for directive, value in allowed.items())


def _source_hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _has_chart(page: Page) -> bool:
    def within(blocks: Any) -> bool:
        return any(isinstance(b, ChartBlock) or within(getattr(b, "blocks", ())) for b in blocks)

    return any(within(section.blocks) for section in page.sections)
