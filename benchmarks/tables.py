"""Tables of studies, as they are committed: ``benchmarks/results/NAME.csv`` and the same as ``NAME.md``.

Each says how many runs, which seed and which versions made it, so that it can be made again; it names no machine.
"""

import csv
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from measurement.provenance import versions

RESULTS = Path(__file__).parent / "results"


def write(
    name: str, about: str, rows: Sequence[Mapping[str, object]], *, runs: int, seed: int, folder: Path = RESULTS
) -> str:
    """Write a study's table.

    Args:
        name: Name of both files.
        about: What the table shows and which command made it; a paragraph of Markdown.
        rows: One mapping per line, all with the keys of the first.
        runs: Runs behind each line.
        seed: Seed of the study.
        folder: Where to.

    Returns:
        The Markdown, to print.
    """
    columns = list(rows[0])
    lines = [[_text(row[column]) for column in columns] for row in rows]
    made = ", ".join(f"{package} {version}" for package, version in versions("numpy", "scipy").items())
    table = (columns, ["---"] * len(columns), *lines)
    page = [
        f"# {name}",
        "",
        about,
        "",
        f"{runs:,} runs, seed {seed}, Python {platform.python_version()}, {made}.",
        "",
        *("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |" for cells in table),
        "",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([columns, *lines])
    text = "\n".join(page)
    (folder / f"{name}.md").write_text(text, encoding="utf-8")
    return text


def read(name: str, folder: Path = RESULTS) -> list[dict[str, str]]:
    """The lines of a table as it stands; none where there is none yet."""
    file = folder / f"{name}.csv"
    if not file.exists():
        return []
    with file.open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _text(value: object) -> str:
    """Four significant digits, and whole numbers as they are."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
