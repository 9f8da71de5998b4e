"""The committed table of coverage in worlds with known truth keeps its promises, and goes on from what it has kept."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

Row = dict[str, str]


@pytest.fixture(scope="module")
def lines(study_table: Callable[[str], list[Row]]) -> list[Row]:
    return study_table("mmm_coverage")


def of(lines: list[Row], **wanted: str) -> list[Row]:
    return [line for line in lines if wanted.items() <= line.items()]


def test_intervals_cover_in_worlds_without_confounding(lines: list[Row]) -> None:
    free = of(lines, follows="no", truths="priors")
    assert {line["world"] for line in free} == {"national", "geo"}
    for line in free:
        assert int(line["worlds"]) >= 50
        assert 0.86 <= float(line["covered"]) <= 0.94
        assert abs(float(line["bias"])) < 0.1  # what is drawn from the prior is missed on neither side
    (narrow,) = of(lines, follows="no", truths="presets")  # truths narrower than the prior are held more often
    assert float(narrow["covered"]) >= 0.86


def test_marked_channels_are_covered_and_their_intervals_widen(lines: list[Row]) -> None:
    told, untold = (
        {line["channels"]: line for line in of(lines, world="national", follows="yes", told=told)}
        for told in ("as it is", "no")
    )
    assert set(told) == set(untold) == {"no", "some", "strong"}
    for line in told.values():
        assert int(line["worlds"]) >= 50
        assert 0.86 <= float(line["covered"]) <= 0.94
    for driven in ("some", "strong"):
        assert float(told[driven]["width"]) > 1.3 * float(untold[driven]["width"])
    assert float(untold["strong"]["covered"]) < 0.6  # what a missing word costs
    assert float(untold["strong"]["bias"]) > 0.5


def test_marked_channels_are_covered_where_local_spend_follows_local_demand(lines: list[Row]) -> None:
    told = of(lines, world="geo", follows="yes", told="as it is")
    assert {line["channels"] for line in told} == {"no", "some", "strong"}
    for line in told:
        assert int(line["worlds"]) >= 36
        assert float(line["covered"]) + float(line["error"]) >= 0.86
        assert abs(float(line["bias"])) < 0.3


def test_worlds_that_were_kept_are_not_made_again(
    study_module: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study, made = study_module("study_mmm"), []

    def one(size: str, seed: int, truths: str, follows: bool, told: str) -> list[tuple[str, float, float, float]]:
        made.append(seed)
        return [("no", float(seed % 2), 1.5, -0.25 * seed)] * study.CHANNELS

    monkeypatch.setattr(study, "one", one)
    case = ("national", "priors", False, "as it is")
    first = study.worlds_of(case, range(3), tmp_path)
    kept = next(tmp_path.iterdir())
    kept.write_text("".join(kept.read_text().splitlines(keepends=True)[:-1]))  # cut off within the last world
    again = study.worlds_of(case, range(4), tmp_path)
    assert again[:3] == first
    assert made == [0, 1, 2, 2, 3]
    row = study.rows_of(case, again)[0]
    assert (row["worlds"], row["intervals"], row["covered"], row["bias"]) == (4, 16, 0.5, -0.375)
