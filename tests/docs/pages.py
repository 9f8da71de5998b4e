"""The blocks of the pages, as Markdown reads them: fenced ones, and those that stand indented."""

import re
from dataclasses import dataclass
from functools import cache

from markdown_it import MarkdownIt

from docs import build

ROOT = build.SOURCE.parent
MADE = build.SOURCE / "reference" / "cli.md"
"""Made from the commands themselves, which `test_docs` holds: its blocks are what each one takes."""
PAGES = (
    "README.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted(build.SOURCE.rglob("*.md")) if path != MADE),
)
"""Every other page, by its path in the repository."""


@dataclass(frozen=True)
class Block:
    """One block of a page: where it stands, its language ("" where it says none), what stands behind it, its text."""

    page: str
    line: int
    language: str
    info: str
    text: str
    indented: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def slow(self) -> bool:
        """Whether it takes minutes (many fits, PyMC's samplers) and runs with the slow tests only."""
        return "slow" in self.info.split()

    @property
    def lines(self) -> list[str]:
        """Its lines, continued ones as one, without comments and what is blank."""
        joined = self.text.replace("\\\n", " ").splitlines()
        return [line for line in joined if line.strip() and not line.startswith("#")]


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """The blocks of a page, in order."""
    tokens = MarkdownIt("commonmark", {"html": False}).enable("table").parse((ROOT / page).read_text("utf-8"))
    found = []
    for token in tokens:
        if token.type in {"fence", "code_block"} and token.map is not None:
            language, _, info = token.info.strip().partition(" ")
            indented = token.type == "code_block"
            found.append(Block(page, token.map[0] + 1, language, info.strip(), token.content, indented))
    return tuple(found)


def workspaces(page: str) -> list[str]:
    """The workspaces that the page's commands work on and that no command of it makes."""
    text = "\n".join(block.text for block in blocks(page))
    named = re.findall(r"(?:--workspace|-w|Study\.open\()\s*\"?([\w-]+)", text)
    made = re.findall(r"theodolite init ([\w-]+)", text)
    return sorted(set(named) - set(made))
