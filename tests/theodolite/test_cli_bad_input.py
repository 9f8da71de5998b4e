"""Input that cannot be fitted: both `check` and `mmm fit` say which key of theodolite.toml to change, and stop."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from theodolite.workspace import Settings, initialise

Change = Callable[[pd.DataFrame, pd.DataFrame], tuple[pd.DataFrame, pd.DataFrame]]


def short(media: pd.DataFrame, outcome: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    days = sorted(outcome["date"].unique())[:12]
    return media[media["date"].isin(days)], outcome[outcome["date"].isin(days)]


def silent(media: pd.DataFrame, outcome: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return media.assign(spend=media["spend"].where(media["channel"] != "tv", 0.0)), outcome


def same(media: pd.DataFrame, outcome: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return media, outcome


def flat(media: pd.DataFrame, outcome: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return media, outcome.assign(revenue=5.0)


def negative(media: pd.DataFrame, outcome: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    return media, outcome.assign(revenue=-outcome["revenue"])


@pytest.mark.parametrize("command", [("check",), ("mmm", "fit")])
@pytest.mark.parametrize(
    ("change", "settings", "words"),
    [
        (short, "", "lower `fourier_order` in [model]"),
        (silent, "", "'tv' was never on: leave it out of the media table"),
        (flat, "", "name another column as `kpi` in [study]"),
        (negative, "", "name another column as `kpi` in [study]"),
        (same, "l_max = 300", "in [channels.tv] of theodolite.toml"),
        (same, 'organic = true\nexposure = "spend"', "`organic`"),
        (same, "[treatments.prise]\n", "prise"),
    ],
)
def test_it_names_what_to_change_and_writes_nothing(
    run, tables: Path, tmp_path: Path, command: tuple[str, ...], change: Change, settings: str, words: str
) -> None:
    changed = change(pd.read_csv(tables / "media.csv"), pd.read_csv(tables / "outcome.csv"))
    for name, frame in zip(("media", "outcome"), changed, strict=True):
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    folder = tmp_path / "acme"
    folder.mkdir()
    chosen = Settings(name="acme", kpi="revenue", margin=0.5)
    initialise(folder, str(tmp_path / "media.csv"), str(tmp_path / "outcome.csv"), None, {}, chosen)
    file = folder / "theodolite.toml"
    text, mark = file.read_text(), "[channels.tv]"
    assert mark in text
    file.write_text(f"{text}\n{settings}\n" if settings.startswith("[") else text.replace(mark, f"{mark}\n{settings}"))
    before = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    found = run(*command, "-w", folder)
    said = " ".join((found.out + found.err).split())
    assert found.code == 2
    assert words in said
    assert "Traceback" not in said
    assert sorted(path.relative_to(folder) for path in folder.rglob("*")) == before
