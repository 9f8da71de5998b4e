"""How commands print: tables for people, JSON for machines, progress on standard error."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from measurement.errors import Problem
from measurement.provenance import finite

out = Console(soft_wrap=True, highlight=False)
err = Console(stderr=True, soft_wrap=True, highlight=False)

STYLES = {"error": "bold red", "warning": "yellow", "note": "cyan"}


def as_json(value: Any) -> None:
    """Print strict JSON: a number that is not finite becomes null."""
    print(json.dumps(finite(value), indent=2, ensure_ascii=False, allow_nan=False))


def say(text: str = "", style: str | None = None) -> None:
    """Print one line of text, taken literally."""
    out.print(text, style=style, markup=False)


def problems(found: Sequence[Problem]) -> None:
    """Print problems, one a line, the gravest first."""
    order = {"error": 0, "warning": 1, "note": 2}
    for problem in sorted(found, key=lambda p: order[p.level]):
        place = f"{problem.place}: " if problem.place else ""
        out.print(f"[{STYLES[problem.level]}]{problem.level}:[/] {escape(place)}{escape(problem.message)}")


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; every cell is literal text, and the first column is left-aligned."""
    grid = Table(
        title=escape(title),
        title_justify="left",
        title_style="bold",
        min_width=len(title),
        header_style="bold",
        pad_edge=False,
    )
    for i, name in enumerate(columns):
        grid.add_column(escape(name), justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        grid.add_row(*[escape(cell) for cell in row])
    Console(width=None if out.is_terminal else 140, highlight=False).print(grid)


def refused(why: str) -> "SystemExit":
    """Say on standard error what is wrong with the options; raise what this returns to end with status 2."""
    print(f"error: {why}", file=sys.stderr)
    return SystemExit(2)


def written(files: Mapping[str, Any]) -> None:
    """Say which files were written, by what they are; those that are ``None`` were not."""
    for what, file in files.items():
        if file is not None:
            say(f"Wrote the {what}: {file}")


def interval(quantity: Mapping[str, float] | None, digits: int = 2) -> str:
    """``1.24 [0.90, 1.61]``; a dash for what is not known."""
    if quantity is None:
        return "–"
    return f"{quantity['median']:.{digits}f} [{quantity['low']:.{digits}f}, {quantity['high']:.{digits}f}]"


def amount(value: float) -> str:
    """A number as people write it: ``-10,165``, ``1.114``; four digits, and never an exponent where it is large."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.4g}"


@contextmanager
def progress(quiet: bool = False) -> Iterator[Callable[[Any], None]]:
    """Show progress with the time left on standard error; a plain line now and then where that is no terminal.

    Yields a function that takes anything with ``phase, done, total, seconds_left``.
    """
    if quiet:
        yield lambda _: None
    elif not sys.stderr.isatty():
        yield _plain()
    else:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[left]}"))
        with Progress(*columns, console=err, transient=True) as bar:
            task = bar.add_task("starting", total=None, left="")

            def show(step: Any) -> None:
                left = f"{_duration(step.seconds_left)} left" if step.seconds_left is not None else ""
                bar.update(task, description=escape(step.phase), completed=step.done, total=step.total, left=left)

            yield show


def _plain() -> Callable[[Any], None]:
    last: dict[str, float] = {}

    def show(step: Any) -> None:
        share = step.done / step.total if step.total else 0.0
        if step.phase not in last or share - last[step.phase] >= 0.25:
            last[step.phase] = share
            left = f", about {_duration(step.seconds_left)} left" if step.seconds_left else ""
            print(f"  {step.phase}: {share:.0%}{left}", file=sys.stderr, flush=True)

    return show


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
