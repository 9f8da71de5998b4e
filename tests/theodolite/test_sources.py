"""From theodolite.toml to the panel: reach and frequency as exposure, holidays by market."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from measurement import mmm, wide
from measurement.errors import DataError
from theodolite import sources
from theodolite.config import parse

TEXT = """
[study]
name = "acme"
kpi = "revenue"

[data]
media = "media.csv"
outcome = "outcome.csv"

[channels.tv]
exposure = { reach = "people", frequency = "contacts" }
"""
WEEKS = 60


def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(0)
    dates = pd.date_range("2024-01-01", periods=WEEKS, freq="7D").strftime("%Y-%m-%d")
    tv = pd.DataFrame({"date": dates, "channel": "tv", "spend": rng.gamma(2.0, 500.0, WEEKS).round(2)})
    tv = tv.assign(people=(3.0 * tv["spend"]).round(), contacts=rng.uniform(1.0, 4.0, WEEKS).round(3))
    search = tv.assign(channel="search", people=0, contacts=0)
    outcome = pd.DataFrame({"date": dates, "revenue": rng.normal(50_000.0, 2_000.0, WEEKS).round(2)})
    return pd.concat([tv, search]), outcome


def loaded(folder: Path, media: pd.DataFrame, outcome: pd.DataFrame, text: str = TEXT) -> sources.Loaded:
    media.to_csv(folder / "media.csv", index=False)
    outcome.to_csv(folder / "outcome.csv", index=False)
    return sources.panel(folder, parse(text))


def test_the_model_sees_the_contacts_and_returns_stay_in_money(tmp_path: Path) -> None:
    media, outcome = tables()
    found = loaded(tmp_path, media, outcome)
    tv = media[media["channel"] == "tv"]
    np.testing.assert_allclose(found.panel.exposure[0, :, 1], tv["people"] * tv["contacts"])
    np.testing.assert_allclose(found.panel.exposure[0, :, 0], tv["spend"])  # search is seen by its spend
    assert found.problems == ()
    post = mmm.prior(found.panel, sources.spec(found.panel, parse(TEXT)), draws=20)
    money = mmm.contribution(post, found.panel)[:, 1] / tv["spend"].sum()
    np.testing.assert_allclose(mmm.iroas(post, found.panel)[:, 1], money)


def test_a_frequency_below_one_is_warned_of(tmp_path: Path) -> None:
    media, outcome = tables()
    media.loc[(media["channel"] == "tv") & (media.index >= 58), "contacts"] = 0.4
    (problem,) = loaded(tmp_path, media, outcome).problems
    assert (problem.level, problem.code, problem.column) == ("warning", "low-frequency", "contacts")
    assert "2 of 60 rows, first on 2025-02-10" in problem.message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"contacts": None}, "'contacts'"),
        ({"people": -5}, "0 or more"),
        ({"people": "many"}, "'many'"),
    ],
)
def test_missing_and_unsound_columns_are_refused(tmp_path: Path, change: dict[str, object], words: str) -> None:
    media, outcome = tables()
    (name, value), *_ = change.items()
    with pytest.raises(DataError) as refused:
        loaded(tmp_path, media.drop(columns=name) if value is None else media.assign(**{name: value}), outcome)
    assert words in str(refused.value)
    assert name in str(refused.value)


def test_a_wide_table_keeps_reach_and_frequency(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    dates = pd.date_range("2024-01-01", periods=4, freq="7D").strftime("%Y-%m-%d")
    columns = {"time": dates, "tv_spend": 5.0, "tv_reach": 100.0, "tv_frequency": 2.5, "revenue": 9.0}
    pd.DataFrame(columns).to_csv(path, index=False)
    plan = wide.plan(path)
    assert plan.exposures == {"tv": {"reach": "tv_reach", "frequency": "tv_frequency"}}
    assert wide.split(path, plan).media["frequency"].tolist() == [2.5] * 4


def test_holidays_by_market_reach_the_model_and_strangers_are_named(tmp_path: Path) -> None:
    text = TEXT.replace("[data]", '[study.holidays]\nnational = ["DE-BY"]\n\n[data]')
    panel = loaded(tmp_path, *tables(), text).panel
    assert sources.spec(panel, parse(text)).holidays == {"national": ("DE-BY",)}
    for codes, words in (('Moon = ["DE"]', "unknown geo 'Moon'"), ('"*" = ["DE-XX"]', "DE-BY")):
        wrong = TEXT.replace("[data]", f"[study.holidays]\n{codes}\n\n[data]")
        with pytest.raises(DataError, match=words) as refused:
            loaded(tmp_path, *tables(), wrong)
        assert refused.value.problems[0].column == "study.holidays"
