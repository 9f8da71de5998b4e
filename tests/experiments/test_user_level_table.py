"""The table of a test on users: exact sums whatever the order, and every fault with its place."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from experiments.user_level import Users, read_users
from measurement.errors import DataError, Problem


def table(count: int = 400, seed: int = 1) -> pd.DataFrame:
    """A plain test: revenue, sessions, what the users did before, who was exposed, when they came."""
    draw = np.random.default_rng(seed)
    treated = draw.random(count) < 0.5
    before = draw.gamma(1, 5, count).round(2)
    return pd.DataFrame(
        {
            "user_id": [f"u{i:05d}" for i in draw.permutation(count)],
            "arm": np.where(treated, "treatment", "control"),
            "exposed": np.where(treated & (draw.random(count) < 0.4), "true", "false"),
            "date": (np.datetime64("2026-03-01", "D") + draw.integers(0, 10, count).astype("timedelta64[D]")).astype(
                str
            ),
            "revenue": (before + draw.lognormal(0, 1, count)).round(2),
            "bought": (draw.random(count) < 0.2).astype(int),
            "sessions": draw.poisson(3, count),
            "pre_revenue": before,
        }
    )


def written(folder: Path, frame: pd.DataFrame, name: str = "users.csv") -> Path:
    path = folder / name
    if name.endswith("csv"):
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return path


def refused(folder: Path, frame: pd.DataFrame, *arguments: Any, **options: Any) -> tuple[Problem, ...]:
    with pytest.raises(DataError) as caught:
        read_users(written(folder, frame), *arguments, **options)
    assert len(str(caught.value)) < 4_000
    return caught.value.problems


def changed(row: int, **values: object) -> pd.DataFrame:
    frame = table().astype(object)
    for column, value in values.items():
        frame.loc[row, column] = value
    return frame


# -- sums -------------------------------------------------------------------------------------------------------------


def test_the_sums_are_those_of_the_rows(tmp_path: Path) -> None:
    frame = table()
    users = read_users(written(tmp_path, frame), denominator="sessions")
    assert users.kpis == ("bought", "revenue")
    assert users.covariates == ("pre_revenue",)
    assert users.denominator == "sessions"
    assert users.binary == {"bought"}
    assert users.count == 400
    assert (users.has_exposure, users.control_exposure, users.has_days, users.has_prediction) == (
        True,
        True,
        True,
        False,
    )
    for keep, rows in (
        (users.cells.treatment, frame["arm"] == "treatment"),
        (users.cells.treatment & users.cells.exposed, (frame["arm"] == "treatment") & (frame["exposed"] == "true")),
        (users.cells.day <= np.datetime64("2026-03-04"), frame["date"] <= "2026-03-04"),
    ):
        own, found = frame.loc[rows, ["revenue", "sessions", "pre_revenue"]], users.cells.where(keep)
        at = np.array([users.column(name) for name in own.columns])
        whole = found.columns(at).joined()
        assert whole.count == len(own)
        assert whole.mean == pytest.approx(own.mean().to_numpy(), rel=1e-12)
        assert whole.covariance == pytest.approx(own.cov().to_numpy(), rel=1e-10)
        assert whole.nonzero.tolist() == (own != 0).sum().tolist()


def test_order_parts_and_format_do_not_change_a_digit(tmp_path: Path) -> None:
    frame = table(3_000)
    users = read_users(written(tmp_path, frame))
    shuffled = frame.sample(frac=1, random_state=3)[list(frame.columns[::-1])]
    same = [
        read_users(written(tmp_path, shuffled, "shuffled.csv")),
        read_users(written(tmp_path, frame.assign(exposed=frame["exposed"] == "true"), "users.parquet")),
        read_users(written(tmp_path, frame.assign(exposed=(frame["exposed"] == "true").astype(int)), "whole.parquet")),
    ]
    written(tmp_path, frame[:1000], "part1.csv")
    written(tmp_path, frame[1000:], "part2.csv")
    same.append(read_users(tmp_path / "part*.csv"))
    assert {each.sha256 for each in same} == {users.sha256}
    assert all(np.array_equal(each.cells.scatter, users.cells.scatter) for each in same)
    assert read_users(written(tmp_path, changed(7, revenue=1.01))).sha256 != users.sha256


def test_large_levels_lose_no_digits(tmp_path: Path) -> None:
    frame = table()
    frame["revenue"] = 1e9 + np.random.default_rng(2).normal(0, 1, 400).round(3)
    users = read_users(written(tmp_path, frame), ["revenue"])
    whole = users.cells.columns(np.array([users.column("revenue")])).joined()
    assert whole.covariance[0, 0] == pytest.approx((frame["revenue"] - 1e9).var(), rel=1e-6)


def test_an_arm_without_variance_has_none(tmp_path: Path) -> None:
    frame = table()
    frame.loc[frame["arm"] == "control", "revenue"] = 0.1
    users = read_users(written(tmp_path, frame), ["revenue"])
    control = users.cells.where(~users.cells.treatment)
    assert (control.scatter[:, users.column("revenue")] == 0).all()


def test_named_kpis_leave_the_rest_unread(tmp_path: Path) -> None:
    users = read_users(written(tmp_path, changed(3, bought="many")), ["revenue"])
    assert (users.names, users.kpis) == (("pre_revenue", "revenue"), ("revenue",))


def test_the_day_of_a_timestamp(tmp_path: Path) -> None:
    frame = table()
    stamped = frame.drop(columns="date").assign(timestamp=frame["date"] + "T23:30:00Z")
    kept = {name: getattr(read_users(written(tmp_path, frame)).cells, name) for name in ("day", "count")}
    found = read_users(written(tmp_path, stamped)).cells
    assert all(np.array_equal(getattr(found, name), value) for name, value in kept.items())


def test_exposure_may_be_unknown_in_control(tmp_path: Path) -> None:
    frame = table()
    frame.loc[frame["arm"] == "control", "exposed"] = ""
    users = read_users(written(tmp_path, frame))
    assert (users.has_exposure, users.control_exposure) == (True, False)


# -- faults -----------------------------------------------------------------------------------------------------------


def test_a_user_in_both_arms(tmp_path: Path) -> None:
    frame = table()
    other = frame.index[frame["arm"] != frame["arm"][0]][5]
    frame.loc[other, "user_id"] = frame["user_id"][0]
    (found,) = refused(tmp_path, frame)
    assert (found.line, found.column, found.code) == (other + 2, "user_id", "user-in-both-arms")
    assert "line 2" in found.message
    assert frame["user_id"][0] not in str(found), "no id of a user is shown"


def test_a_user_twice(tmp_path: Path) -> None:
    frame = table()
    twice = frame.index[frame["arm"] == frame["arm"][0]][5]
    frame.loc[twice, "user_id"] = frame["user_id"][0]
    (found,) = refused(tmp_path, frame)
    assert (found.line, found.column, found.code) == (twice + 2, "user_id", "duplicate-user")


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"arm": "Treatment"}, "unknown-value", "did you mean 'treatment'?"),
        ({"arm": ""}, "blank", "is blank"),
        ({"user_id": ""}, "blank", "is blank"),
        ({"revenue": ""}, "blank", "a number is needed"),
        ({"revenue": "nan"}, "not-finite", "finite"),
        ({"revenue": "1,5"}, "decimal-comma", "decimal comma"),
        ({"pre_revenue": "€3"}, "currency-sign", "currency sign"),
        ({"sessions": "-1"}, "negative", "0 or more"),
        ({"exposed": "yes"}, "not-a-flag", "write true or false"),
        ({"date": "01.03.2026"}, "day-or-month-first", "YYYY-MM-DD"),
    ],
)
def test_a_value_of_the_wrong_kind(tmp_path: Path, values: dict[str, object], code: str, words: str) -> None:
    (found,) = refused(tmp_path, changed(11, **values), denominator="sessions")
    assert (found.file, found.line, found.column) == (str(tmp_path / "users.csv"), 13, next(iter(values)))
    assert found.code == code
    assert words in found.message


def test_all_faults_come_together(tmp_path: Path) -> None:
    frame = changed(11, revenue="x", arm="test")
    frame.loc[20, "user_id"] = frame.loc[19, "user_id"]
    assert {problem.column for problem in refused(tmp_path, frame)} == {"revenue", "arm", "user_id"}


def test_exposure_known_of_some(tmp_path: Path) -> None:
    frame = table()
    at = {arm: frame.index[frame["arm"] == arm][3] for arm in ("treatment", "control")}
    frame.loc[list(at.values()), "exposed"] = ""
    problems = refused(tmp_path, frame)
    assert {problem.line for problem in problems} == {row + 2 for row in at.values()}
    assert all(problem.column == "exposed" for problem in problems)


def test_an_arm_without_users(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, table().assign(arm="treatment"))
    assert "no user is in control" in found.message


def test_columns_that_are_not_there(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, table(), ["revenu"])
    assert "did you mean 'revenue'?" in found.message
    (found,) = refused(tmp_path, table().drop(columns="arm"))
    assert (found.column, found.code) == ("arm", "missing-column")
    (found,) = refused(tmp_path, table()[["user_id", "arm", "pre_revenue"]])
    assert found.code == "no-kpi"


def test_names_that_are_no_kpis(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, table(), ["exposed"])
    assert found.code == "reserved-name"
    (found,) = refused(tmp_path, table(), ["revenue"], denominator="revenue")
    assert found.column == "denominator"


def test_a_damaged_file_is_one_clear_error(tmp_path: Path) -> None:
    path = written(tmp_path, table(3_000), "users.parquet")
    whole = bytearray(path.read_bytes())
    whole[200:2_000] = bytes(1_800)
    path.write_bytes(whole)
    with pytest.raises(DataError, match="cannot be read as parquet"):
        read_users(path)


def test_an_absurd_number(tmp_path: Path) -> None:
    (found,) = refused(tmp_path, changed(2, revenue="1e200"))
    assert (found.column, found.code) == ("revenue", "too-large")


# -- sums as platforms give them --------------------------------------------------------------------------------------


def summed(folder: Path, text: str, *arguments: Any) -> Users:
    (folder / "sums.csv").write_text(text)
    return read_users(folder / "sums.csv", *arguments)


def test_sums_are_as_good_as_rows(tmp_path: Path) -> None:
    frame = table()
    rows = read_users(written(tmp_path, frame), ["bought"])
    arms = frame.groupby("arm")["bought"]
    lines = "".join(f"{arm},{len(own)},{own.sum()}\n" for arm, own in arms)
    users = summed(tmp_path, "arm,users,conversions\n" + lines, ["bought"])
    assert users.binary == {"bought"}
    for own in (True, False):
        found = users.cells.where(users.cells.treatment == own).joined()
        expected = rows.cells.columns(np.array([0])).where(rows.cells.treatment == own).joined()
        assert found.mean == pytest.approx(expected.mean)
        assert found.covariance == pytest.approx(expected.covariance)
    lines = "".join(f"{arm},{len(own)},{own.sum()},{(own**2).sum()}\n" for arm, own in frame.groupby("arm")["revenue"])
    users = summed(tmp_path, "arm,users,sum,sum_of_squares\n" + lines)
    assert users.kpis == ("outcome",)
    assert users.cells.where(users.cells.treatment).joined().covariance[0, 0] == pytest.approx(
        frame.loc[frame["arm"] == "treatment", "revenue"].var()
    )


@pytest.mark.parametrize(
    ("text", "column", "words"),
    [
        ("arm,users,conversions\ntreatment,100,101\ncontrol,100,5\n", "conversions", "more than the users"),
        ("arm,users,conversions\ntreatment,100.5,10\ncontrol,100,5\n", "users", "no whole number"),
        ("arm,users,conversions\ntreatment,-100,10\ncontrol,100,5\n", "users", "1 or more"),
        ("arm,users,conversions\ntreatment,100,10\n", "arm", "'control'"),
        ("arm,users,sum,sum_of_squares\ntreatment,100,50,20\ncontrol,9,5,25\n", "sum_of_squares", "no numbers give"),
        ("arm,users,sum,sum_of_squares,conversions\ntreatment,100,50,70,3\ncontrol,9,5,25,3\n", "sum", "one KPI"),
        ("arm,users,conversions\ntreatment,9,1\ncontrol,9,1\ncontrol,9,2\n", None, "line 3 already"),
    ],
)
def test_sums_that_cannot_be(tmp_path: Path, text: str, column: str | None, words: str) -> None:
    with pytest.raises(DataError) as caught:
        summed(tmp_path, text)
    (found,) = caught.value.problems
    assert found.column == column
    assert words in found.message


def test_sums_hold_one_kpi(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds one KPI"):
        summed(tmp_path, "arm,users,conversions\ntreatment,9,1\ncontrol,9,1\n", ["a", "b"])
