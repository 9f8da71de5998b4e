"""Every block of every page runs, in order, in a folder that holds what the page says its reader has.

A page's workspaces are copies of one small company, made as the demo's is. What stands in for what is too slow or not
here is written down in `stand_ins`; a block that is neither run nor known to be no code is an error.
"""

import itertools
import re
import shlex
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from docs import build
from experiments.registry import plan
from tests.docs import outcomes, stand_ins
from tests.docs.pages import PAGES, ROOT, Block, blocks, workspaces
from theodolite import config
from theodolite.cli import main

PROGRAMS = re.compile(r"(theodolite|make|pip|python|marimo|docker|curl|cd|\.) [^ ]|\d+ \d+ \* ")
SERVED = "theodolite jobs "
"""Commands that ask a running server: `tests/app` runs them on one."""
WRITES = {"--chart", "--report", "--save", "--out"}
"""Options that name a file which is there afterwards."""


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The company of all pages."""
    with pytest.MonkeyPatch.context() as patch:
        stand_ins.put_in_place(patch)
        yield stand_ins.company(tmp_path_factory.mktemp("pages") / "company")
    stand_ins.fits.clear()


def theodolite(words: list[str], block: Block, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    patch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    told = f"{block}: {shlex.join(words)}\n{said.out}\n{said.err}"
    assert ended.value.code in (None, 0, 1), told  # 1: a gate failed, as a fit of few draws may
    assert "Traceback" not in said.err, told
    for flag, file in itertools.pairwise(words):
        assert flag not in WRITES or Path(file).is_file(), f"{told}\nno {file} was written"


def run_line(line: str, block: Block, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Run one line of a shell; programs that are not ours are held to what they would find here."""
    line = re.sub(r"^(\d+|\*)( +(\d+|\*)){4} +", "", line)  # cron's five fields
    words = shlex.split(line, comments=True)
    if ">" in words:
        words = words[: words.index(">")]
    if words[:2] == ["docker", "run"]:
        words = ["theodolite", *words[words.index("theodolite") + 1 :]]
    match words:
        case ["theodolite", *_]:
            if not line.startswith(SERVED):
                stand_ins.beforehand(line)
                theodolite(stand_ins.words(words), block, patch, capsys)
        case ["curl", *_]:
            stand_ins.ask(words, block)
        case ["make", target]:
            assert f"\n{target}:" in (ROOT / "Makefile").read_text("utf-8"), block
        case ["pip", "install", package]:
            extra = package.partition("[")[2].removesuffix("]")
            project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
            assert extra in project["optional-dependencies"], block
        case ["marimo", "edit", notebook]:
            assert Path(notebook).stem in (ROOT / "tests" / "docs" / "test_examples.py").read_text("utf-8"), block
        case ["docker", "build", *_]:
            assert (ROOT / "Dockerfile").is_file(), block
        case [".", script]:
            assert script == ".venv/bin/activate", block
        case _:
            raise AssertionError(f"{block}: nothing here runs `{line}`")


def keep(block: Block) -> None:
    """Hold a configuration, a plan or a record to what reads it; what has a name is written for the blocks after it."""
    name = block.info.split()[-1] if "." in block.info else ""
    if name:
        Path(name).write_text(block.text, "utf-8")
    if block.language == "toml" and block.info.startswith("plan"):
        Path("a-plan.toml").write_text(block.text, "utf-8")
        assert plan.read(Path("a-plan.toml")), block
    elif block.language == "toml" and not name:
        assert config.parse(block.text).study.name, block


@pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:sqlalchemy.*",
    "ignore::DeprecationWarning:mlflow.*",
    "ignore:The ``noload``",
    "ignore:fetch_arrow_table",
)
@pytest.mark.parametrize(
    ("page", "whole"),
    [(page, False) for page in PAGES if blocks(page)]
    + [pytest.param(page, True, marks=pytest.mark.slow) for page in PAGES if any(b.slow for b in blocks(page))],
)
def test_every_block_runs(
    page: str,
    whole: bool,
    company: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    for name in workspaces(page):
        shutil.copytree(company, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    stand_ins.reader_has(page, tmp_path, company)
    names = stand_ins.names(page, tmp_path, monkeypatch)
    if page == "docs/keep-a-study-safe.md":
        stand_ins.KNOWN["host=db.example.org dbname=measurement"] = stand_ins.own_database(
            request.getfixturevalue("postgres")
        )
    for block in blocks(page):
        if block.slow and not whole:
            continue
        if block.language == "sh":
            for line in block.lines:
                run_line(line, block, monkeypatch, capsys)
        elif block.language == "python":
            exec(compile(block.text, str(block), "exec"), names)  # noqa: S102 - our own documentation
        elif block.language in {"toml", "json"}:
            keep(block)
        elif block.language == "sql":
            stand_ins.on_the_server(block.text)
        else:
            assert block.indented or block.language == "text", f"{block}: say which language it is"
            assert not any(PROGRAMS.match(line) for line in block.lines), f"{block}: this is to be typed, so sh"
    capsys.readouterr()
    if page in outcomes.LEFT:
        outcomes.LEFT[page]()


def test_every_user_has_a_tutorial() -> None:
    tutorials = sorted(path.name for path in build.SOURCE.glob("tutorial-*.md"))
    assert tutorials == ["tutorial-compare.md", "tutorial-decide.md", "tutorial-measure.md", "tutorial-plan.md"]
    assert {Path(page).name for page in outcomes.LEFT} == set(tutorials)
