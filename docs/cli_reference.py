"""Write ``docs/reference/cli.md`` from the commands themselves: ``python -m docs.cli_reference``.

A test holds the file equal to what this module says, so that the page cannot fall behind.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

PAGE = Path(__file__).parent / "reference" / "cli.md"

_HEAD = """\
# Command line

Every command has `--help`. Commands that take `--json` print one JSON document to standard output and nothing else
there. Exit status: 0 all is well, 1 a gate failed (a fit did not converge, `check --strict` found warnings), 2 the
input is wrong; then the message says what was found, where, and what is allowed.

This page is made from the commands by `python -m docs.cli_reference`; a test holds it current.
"""


def text() -> str:
    """The whole page."""
    from theodolite.cli.commands import app

    root = typer.main.get_command(app)
    sections = [_section(path, command) for path, command in _walk(root, ("theodolite",))]
    return _HEAD + "\n" + "\n".join(sections)


def _walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner_commands = getattr(command, "commands", None)
    if inner_commands is not None:  # a group
        for name, inner in inner_commands.items():
            yield from _walk(inner, (*path, name))
    else:
        yield path, command


def _section(path: tuple[str, ...], command: Any) -> str:
    context = typer.Context(command, info_name=" ".join(path))
    pieces = (
        piece.replace("[[", "[").replace("]]", "]").strip("{}") for piece in command.collect_usage_pieces(context)
    )
    usage = " ".join(piece for piece in pieces if piece)
    lines = [f"## {' '.join(path[1:])}", "", _sentence(command.help), "", "```", f"{' '.join(path)} {usage}", "```", ""]
    rows = [row for option in command.params if (row := _row(option, context)) is not None]
    if rows:
        lines += ["| option | meaning |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _row(option: Any, context: typer.Context) -> str | None:
    record = option.get_help_record(context)
    if record is None or "--help" in option.opts:
        return None
    names, meaning = record
    names = names.partition(" ")[0].strip("[]") if option.param_type_name == "argument" else names
    return f"| `{_literal(names)}` | {_sentence(meaning)} |"


def _literal(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _sentence(text: str | None) -> str:
    words = _literal(text or "")
    for mark in "<>*_[]":
        words = words.replace(mark, "\\" + mark)
    return words


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8", newline="\n")
    print(f"Wrote {PAGE}")
