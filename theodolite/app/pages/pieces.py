"""Pieces of a page that take seconds: shown where they are there, and as work under way where they are not yet."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from measurement.errors import DataError, DesignError
from theodolite.app.blocks import Block, Empty, Part, Working
from theodolite.app.kept import PATIENCE
from theodolite.app.pages.ask import Ask, kept_parts, link

WAIT = "It takes a few seconds. You may go on reading: it appears here."


@dataclass(frozen=True, slots=True)
class Piece:
    """What takes the place of a part's blocks once it is worked out; once for everybody, as long as the fit stands.

    Attributes:
        part: The part without it: anchor, title, lead.
        doing: What is said meanwhile.
        name: Of what it shows, unique in the app.
        make: Works it out; it may depend on what ``name`` holds and not on who looks.
        before: What stands above it, whether it is there or not: its form.
        after: What stands below it once it is there.
    """

    part: Part
    doing: str
    name: tuple[object, ...]
    make: Callable[[], tuple[Block, ...]]
    before: tuple[Block, ...] = ()
    after: tuple[Block, ...] = ()

    def made(self, ask: Ask, patience: float | None = PATIENCE) -> tuple[Block, ...] | None:
        """Its blocks; ``None`` while they are being worked out and ``patience``, in seconds, is at its end.

        Raises:
            TheodoliteError: Where it cannot be worked out.
        """

        def make() -> tuple[Block, ...]:
            part = replace(self.part, blocks=self.make())
            (found,) = kept_parts(ask, self.name, ask.reading.of_fit, lambda: (part,))
            return found.blocks

        return ask.reading.soon(("piece", *self.name), ask.reading.of_fit, make, patience)

    def now(self, ask: Ask) -> tuple[Block, ...]:
        """What stands in its place now: itself, that it is under way, or why it cannot be."""
        try:
            made = self.made(ask)
        except (DataError, DesignError) as error:
            words = "\n".join(line.removeprefix("error: ") for line in str(error).splitlines())
            return (Empty("This cannot be worked out", words),)
        if made is None:
            poll = link("/plan/now", **{**ask.query, "piece": self.part.id})
            return (Working(self.doing, WAIT, poll=poll),)
        return (*made, *self.after)

    def shown(self, ask: Ask) -> Part:
        """The part of the page."""
        return replace(self.part, blocks=(*self.before, *self.now(ask)))
