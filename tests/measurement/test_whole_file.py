"""Files appear whole or not at all, and never in place of one that must stay."""

from pathlib import Path

import pytest

from measurement.errors import DataError
from measurement.whole_file import whole_file


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_when_it_is_complete(tmp_path: Path) -> None:
    target = tmp_path / "new folder" / "page.html"
    with whole_file(target, "the page") as draft:
        draft.write_text("first")
        assert not target.exists()
    with whole_file(target, "the page") as draft:
        draft.write_text("second")
        assert target.read_text() == "first"
    assert target.read_text() == "second"
    assert names(target.parent) == ["page.html"]
    assert target.stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interruption_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    target = tmp_path / "page.html"
    target.write_text("old")

    def write() -> None:
        with whole_file(target, "the page") as draft:
            draft.write_text("half")
            raise error

    with pytest.raises(error):
        write()
    assert target.read_text() == "old"
    assert names(tmp_path) == ["page.html"]


def test_a_second_process_loses_the_race_and_not_the_file(tmp_path: Path) -> None:
    target = tmp_path / "plan.json"

    def write() -> None:
        with whole_file(target, "the record", over=False) as draft:
            draft.write_text("ours")
            target.write_text("theirs, written meanwhile")

    with pytest.raises(DataError, match="there already"):
        write()
    assert target.read_text() == "theirs, written meanwhile"
    assert names(tmp_path) == ["plan.json"]


def test_what_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for target in (tmp_path / "file" / "x", tmp_path / "folder"):
        with pytest.raises(DataError, match="the page cannot be written to"), whole_file(target, "the page"):
            pass
    assert names(tmp_path) == ["file", "folder"]
