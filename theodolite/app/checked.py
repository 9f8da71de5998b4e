"""What a check of a form found, field by field, as blocks of a page: while one types, and where it was refused."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from starlette.responses import HTMLResponse, Response

from measurement.errors import DataError, TheodoliteError
from theodolite.app import shell
from theodolite.app.blocks import Block, Faults, Field, Working
from theodolite.report.page import plain
from theodolite.report.words import listed

MOST = 8
"""So many problems of no field are said at most."""


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a form.

    Attributes:
        fields: By field, in words.
        rest: What belongs to no field of it.
    """

    fields: Mapping[str, str] = field(default_factory=dict)
    rest: tuple[str, ...] = ()

    @classmethod
    def of(cls, error: TheodoliteError, entries: Sequence[Field], about: Sequence[str] = ()) -> "Wrong":
        """An error, told apart by the fields of a form.

        Args:
            error: What was raised.
            entries: The fields.
            about: Beginnings of its messages that say nothing on a page of one thing.
        """
        if not isinstance(error, DataError):
            return cls({}, (str(error),))
        known = {entry.name for entry in entries}
        fields: dict[str, str] = {}
        rest: list[str] = []
        for problem in error.problems:
            words = problem.message
            for beginning in about:
                words = words.removeprefix(beginning)
            if problem.column in known:
                fields[problem.column] = "; ".join(filter(None, (fields.get(problem.column), words)))
            else:
                rest.append(f"{problem.column}: {words}" if problem.column else words)
        return cls(fields, tuple(rest[:MOST]))

    def blocks(self, entries: Sequence[Field]) -> tuple[Block, ...]:
        """What a check answers: the faults of single fields, and all of it in short."""
        names = [plain(entry.label) for entry in entries if entry.name in self.fields]
        said = [f"To be filled in or changed: {listed(names)}."] if names else []
        return (Faults(self.fields), Working("Not yet", "\n".join((*said, *self.rest)), tone="caution"))


def filled(entries: Sequence[Field], given: Mapping[str, str], wrong: Wrong | None = None) -> tuple[Field, ...]:
    """Fields with what was entered in them, and with what is wrong about it."""
    found = wrong or Wrong()
    return tuple(
        replace(
            entry,
            value=given.get(entry.name, "" if given else entry.value),
            chosen=chosen(given[entry.name], entry) if entry.name in given else () if given else entry.chosen,
            error=found.fields.get(entry.name, ""),
        )
        for entry in entries
    )


def chosen(text: str, entry: Field) -> tuple[str, ...]:
    """Which options of a field a text of several names stands for."""
    from experiments.planning.goal_text import names

    try:
        found = set(names(text)) if text.strip() else set()
    except ValueError:
        return ()
    return tuple(value for value, label in entry.options if label in found)


def checked(check: Callable[[], str], entries: Sequence[Field], about: Sequence[str] = ()) -> Response:
    """The answer to a check: what is wrong, or in a sentence what would be done."""
    blocks: tuple[Block, ...]
    try:
        blocks = (Working("Fine so far", check(), tone="good"),)
    except TheodoliteError as error:
        blocks = Wrong.of(error, entries, about).blocks(entries)
    return HTMLResponse(shell.fragment(blocks).encode("utf-8", "replace"))
