"""The site around the pages: its search index, its menu, and a reference that holds every public name."""

import importlib
import json
import shutil
from pathlib import Path

import pytest

from docs import build, python_reference, search
from tests.report.conftest import BROWSER, browse

__all__ = ["browse"]
PACKAGES = ("theodolite", "calibration", "experiments", "attribution", "measurement")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    build.build(folder)
    return folder


@pytest.mark.parametrize("name", PACKAGES)
def test_the_reference_holds_every_public_name(name: str, site: Path) -> None:
    package = importlib.import_module(name)
    html = (site / "reference" / "python" / f"{name}.html").read_text("utf-8")
    for public in package.__all__:
        if not public.startswith("__"):
            assert f'<h2 id="{build.slug(public)}">{public}</h2>' in html


def test_the_reference_says_what_a_verb_takes_and_raises() -> None:
    page = python_reference.pages()["reference/python/theodolite.md"]
    part = page.partition("### Study.fit\n")[2].partition("\n### ")[0]
    assert "seed: int = 0," in part
    assert "- `warm`: Begin where" in part
    assert "**Raises**\n\n- `StoreError`: " in part
    assert "self" not in part.partition("```\n\n")[0]


def test_docstrings_become_markdown() -> None:
    docstring = """Do it.

    Args:
        one: First, with
            a second line.
        two: ``code``.

    Returns:
        What came
        of it.

    Drawn::

        a <- b
    """
    assert python_reference.text(docstring).splitlines() == [
        "Do it.", "", "**Arguments**", "", "- `one`: First, with", "  a second line.", "- `two`: `code`.", "",
        "**Returns**", "", "What came", "of it.", "", "Drawn", "", "        a <- b",
    ]  # fmt: skip


def test_sections_hold_all_that_a_reader_sees() -> None:
    page = build.parse(
        "a.md", "# Top\nbefore `code`\n\n## Part *two*\n| x | y |\n|---|---|\n| 1 | z |\n\n```sh\nrun it\n```"
    )
    assert page.sections == (
        search.Section("Top", "", "before code"),
        search.Section("Part two", "part-two", "x y 1 z run it"),
    )


def test_a_block_that_is_to_be_saved_says_under_which_name(site: Path) -> None:
    assert '<code title="radio.json" class="language-json">' in (site / "tutorial-measure.html").read_text("utf-8")


def test_the_index_names_places_that_exist(site: Path) -> None:
    text = (site / "search-index.js").read_text("utf-8")
    entries = json.loads(text.removeprefix("window.SITE = ").removesuffix(";\n"))
    assert len(entries) > 300
    for _, _, address, _ in entries[::7]:
        file, _, anchor = address.partition("#")
        assert not anchor or f'id="{anchor}"' in (site / file).read_text("utf-8")


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_search_box_finds_a_section(site: Path, tmp_path: Path, browse) -> None:
    """Typed into by a script of the test's own, put into a copy of a page."""
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    (copy / "type.js").write_text(
        "addEventListener('load', () => { const field = document.querySelector('[type=search]'); field.focus();"
        "field.value = 'break-even margin'; setTimeout(() => field.dispatchEvent(new Event('input')), 800) });"
    )
    page = copy / "limits.html"
    page.write_text(page.read_text("utf-8").replace("</head>", '<script src="type.js"></script></head>'), "utf-8")
    seen, console = browse(page)
    assert console == ""
    assert 'href="./what-each-number-means.html#what-pays"' in seen
    assert " found</p>" in seen
