"""The documentation: it builds, its links hold, its commands exist, and its reference says what the code does."""

import re
import shlex
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import typer

from docs import build, cli_reference
from tests.docs.pages import PAGES, blocks
from theodolite import config

SOURCE = build.SOURCE


class Loads(HTMLParser):
    """Everything a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [(tag, value or "") for name, value in attrs if name in {"href", "src"}]


def test_the_site_builds_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    pages = build.build(tmp_path / "site")
    assert {"index.html", "first-study.html", "configuration.html", "cli.html"} <= {page.name for page in pages}
    for page in pages:
        reader = Loads()
        reader.feed(page.read_text(encoding="utf-8"))
        for tag, target in reader.found:
            if tag == "a" and target.startswith("https://"):
                continue
            assert not re.match(r"[a-z]+:|//", target), f"{page.name} refers to {target}"
            file = (page.parent / target.partition("#")[0]) if not target.startswith("#") else page
            assert file.exists(), f"{page.name} links to {target}"
    assert "@import" not in (tmp_path / "site" / "style.css").read_text(encoding="utf-8")


def test_it_builds_again_but_never_over_something_else(tmp_path: Path) -> None:
    build.build(tmp_path / "site")
    before = {p: p.read_bytes() for p in sorted((tmp_path / "site").rglob("*")) if p.is_file()}
    build.build(tmp_path / "site")
    assert {p: p.read_bytes() for p in sorted((tmp_path / "site").rglob("*")) if p.is_file()} == before
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    with pytest.raises(build.BrokenDocs, match="no documentation site"):
        build.build(tmp_path / "other")
    assert (tmp_path / "other" / "thesis.txt").read_text() == "years of work"


@pytest.mark.parametrize(
    ("pages", "fault"),
    [
        ({"index.md": "# A\n[b](gone.md)"}, "'gone.md' leads nowhere"),
        ({"index.md": "# A\n![b](gone.png)"}, "'gone.png' leads nowhere"),
        ({"index.md": "# A\n[b](#gone)"}, "'#gone' names no heading"),
        ({"index.md": "# A", "lost.md": "# B"}, "lost.md: no group"),
    ],
)
def test_broken_pages_are_refused(tmp_path: Path, pages: dict[str, str], fault: str) -> None:
    for name, text in pages.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(build.BrokenDocs, match=re.escape(fault)):
        build.load(tmp_path)


def test_html_in_a_page_is_shown_as_text() -> None:
    assert "<script>" not in build.parse("a.md", "# A\n<script>alert(1)</script>").body


def test_the_command_line_reference_is_current() -> None:
    page = cli_reference.PAGE.read_text(encoding="utf-8")
    assert page == cli_reference.text(), "the commands have changed: run `python -m docs.cli_reference`"


def fields() -> list[tuple[str, str]]:
    sections = {
        "study": config.StudySection,
        "data": config.DataSection,
        "channels.NAME": config.ChannelSection,
        "treatments.NAME": config.TreatmentSection,
        "model": config.ModelSection,
        "compare.NAME": config.CompareSection,
        "[blackouts]": config.BlackoutSection,
    }
    return [(section, name) for section, model in sections.items() for name in model.model_fields]


@pytest.mark.parametrize(("section", "name"), fields())
def test_every_setting_is_documented(section: str, name: str) -> None:
    page = (SOURCE / "reference" / "configuration.md").read_text(encoding="utf-8")
    part = page.partition(f"## [{section}]")[2].partition("\n## ")[0]
    assert f"| `{name}` |" in part


def commands() -> list[str]:
    shown = (line for page in PAGES for block in blocks(page) if block.language == "sh" for line in block.lines)
    return sorted({line for line in shown if line.startswith("theodolite ")})


@pytest.mark.parametrize("line", commands())
def test_every_command_shown_exists_with_its_options(line: str) -> None:
    from theodolite.cli.commands import app

    command: Any = typer.main.get_command(app)
    words = shlex.split(line.partition(" #")[0])[1:]
    while hasattr(command, "commands"):
        assert words, line
        assert words[0] in command.commands, line
        command = command.commands[words.pop(0)]
    command.make_context("theodolite", words)
