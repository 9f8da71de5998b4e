"""Analysis of a test: CPU-seconds beside peers from the package index that analyse the same data in the same run.

``python benchmarks/bench_experiments.py [--geos 40] [--days 105] [--repeats 3] [--users 5000000]`` prints tables and
writes ``build/benchmarks/experiments.json``.

- A geo test with placebo inference, beside Meridian GeoX's analysis with placebo designs (another estimator, so only
  seconds are compared). *First* is the first call of a process, with imports or compilation in it.
- The classic synthetic control on outcomes of the same sets of geos, one by one and as pysyncon does it: seconds per
  set, and how far the effects are apart. pysyncon stops its search early by default, so it is run as it is and pressed
  to a later stop, where the effects agree.
- How seconds grow with geos and days.
- A test on users: reading and analysing a table, beside DuckDB's own counts, means and variances of the same file and
  beside tea-tasting, which gets its sums from DuckDB too and whose CUPED effect is compared.
"""

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import peers
from panels import a_test, panel_of
from timing import keep, least

from experiments import Experiment, analyse
from experiments.geo.estimators import ESTIMATORS, Block
from measurement import Panel

TARGET = 2.0
"""CPU-seconds of an analysis with placebo inference on 40 geos × 105 days."""
WINDOW = 15
SETS = 20
GROWTH = ((20, 105), (40, 105), (80, 105), (200, 105), (40, 60), (40, 365), (40, 700), (200, 365))


def whole_analysis(panel: Panel, repeats: int) -> dict[str, Any]:
    """Our analysis, first and repeated, beside GeoX's."""
    work = lambda: analyse(panel, a_test(panel, WINDOW))  # noqa: E731
    first, _ = least(1, work)
    again, result = least(repeats, work)
    lines: dict[str, Any] = {
        "ours": {"first_cpu_s": first, "again_cpu_s": again, "p_value": result.p_value, "inference": result.inference}
    }
    print(f"a geo test with placebo inference, {panel.shape[0]} geos x {panel.shape[1]} days; target {TARGET:g} CPU-s")
    print(f"  {'ours':24} first {first:7.3f} CPU-s  again {again:7.3f} CPU-s")
    task = {"what": "analysis", "treated": [0, 1], "window": WINDOW, "candidates": 10_000, "ranked": 1000, "seed": 0}
    try:
        found = peers.run("geox", task | {"outcome": panel.outcome.tolist()})
    except peers.Unavailable as reason:
        print(f"  meridian-geox is not there: {reason}")
        return lines
    print(
        f"  {found['version']:24} first {found['cpu_cold_s']:7.3f} CPU-s  again {found['cpu_warm_s']:7.3f} CPU-s"
        f"  = {found['cpu_cold_s'] / first:.1f} and {found['cpu_warm_s'] / again:.2f} times ours"
    )
    return lines | {"geox": found}


def classic_sets(panel: Panel, repeats: int) -> dict[str, Any]:
    """The classic synthetic control of some sets of two geos: ours, and pysyncon's."""
    rng = np.random.default_rng(1)
    geos, pre = panel.shape[0], panel.shape[1] - WINDOW
    chosen = [sorted(rng.choice(geos, 2, replace=False).tolist()) for _ in range(SETS)]
    sets = [(rows, [row for row in range(geos) if row not in rows]) for rows in chosen]
    fit, outcome = ESTIMATORS["synthetic_control_classic"].fit, panel.outcome

    def ours() -> list[float]:
        return [fit(Block(outcome, np.array(t), np.array(d), 0, pre, panel.shape[1])).effect for t, d in sets]

    seconds, effects = least(repeats, ours)
    levels = np.array([outcome[rows, pre:].mean() for rows in chosen])
    lines: dict[str, Any] = {"ours": {"ms_per_set": 1000 * seconds / SETS}}
    print(f"the classic synthetic control, {SETS} sets of 2 of {geos} geos")
    print(f"  {'ours':34} {1000 * seconds / SETS:8.2f} CPU-ms a set")
    for words, scale in (("as it is", 1.0), ("pressed", 1e4)):
        try:
            found = peers.run("pysyncon", {"outcome": outcome.tolist(), "sets": sets, "pre": pre, "scale": scale})
        except peers.Unavailable as reason:
            print(f"  pysyncon is not there: {reason}")
            return lines
        apart = float(np.max(np.abs(np.array(effects) - found["effects"]) / levels))
        name = f"{found['version']}, {words}"
        print(
            f"  {name:34} {1000 * found['cpu_s'] / SETS:8.2f} CPU-ms a set  = {found['cpu_s'] / seconds:.0f} times ours"
            f"; effects at most {apart:.2g} of the KPI apart"
        )
        lines[f"pysyncon {words}"] = {"ms_per_set": 1000 * found["cpu_s"] / SETS, "apart": apart}
    return lines


def growth(sizes: tuple[tuple[int, int], ...]) -> list[dict[str, Any]]:
    print("seconds by size (two treated geos, 15 days; 28 days from 365 on)")
    lines = []
    for geos, days in sizes:
        panel = panel_of(geos, days)
        seconds, result = least(1, lambda: analyse(panel, a_test(panel, 28 if days >= 365 else WINDOW)))  # noqa: B023
        lines.append({"geos": geos, "days": days, "cpu_s": seconds, "inference": result.inference})
        print(f"  {geos:4d} geos x {days:3d} days {seconds:8.3f} CPU-s", flush=True)
    return lines


def write_users(place: Path, users: int) -> None:
    """A table of users: arm, one KPI in money with many zeros, the same before the test, and a conversion."""
    query = """COPY (SELECT i AS user_id, CASE WHEN hash(i) % 2 = 0 THEN 'treatment' ELSE 'control' END AS arm,
        CASE WHEN hash(i + 1) % 20 = 0 THEN (hash(i + 2) % 10000) / 100.0 ELSE 0 END AS revenue,
        CASE WHEN hash(i + 3) % 20 = 0 THEN (hash(i + 4) % 10000) / 100.0 ELSE 0 END AS pre_revenue,
        CAST(hash(i + 5) % 25 = 0 AS INTEGER) AS converted FROM range(?) AS users(i)) TO '{place}' (FORMAT parquet)"""
    with duckdb.connect() as connection:
        connection.execute(query.format(place=place), [users])


def plain_sums(place: Path) -> Any:
    """The floor: one pass for the numbers that any analysis of the table needs."""
    sums = """SELECT arm, count(*), covar_samp(revenue, pre_revenue), avg(revenue), var_samp(revenue), avg(pre_revenue),
        var_samp(pre_revenue), avg(converted) FROM users GROUP BY arm"""
    with duckdb.connect() as connection:
        connection.read_parquet(str(place)).create_view("users")
        return connection.sql(sums).fetchall()


def on_users(users: int, repeats: int) -> dict[str, Any]:
    """Our reading and analysis of a table of users, beside plain sums and tea-tasting's CUPED."""
    from experiments.user_level import analyse_users, read_users

    days = {"start_date": date(2024, 3, 1), "end_date": date(2024, 3, 28)}
    design = Experiment(experiment_id="bench", channel=("tv",), method="conversion_lift", kpi="revenue", **days)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "users.parquet"
        write_users(place, users)
        floor, _ = least(repeats, lambda: plain_sums(place))
        seconds, result = least(repeats, lambda: analyse_users(read_users(place), design))
        print(f"a test on {users:,} users, from a parquet file")
        print(f"  {'DuckDB, plain sums':24} {floor:7.3f} CPU-s")
        print(f"  {'ours':24} {seconds:7.3f} CPU-s  = {seconds / floor:.1f} times the plain sums")
        lines: dict[str, Any] = {"plain_sums_cpu_s": floor, "ours_cpu_s": seconds}
        try:
            found = peers.run("tea_tasting", {"place": str(place), "repeats": repeats, "alpha": result.alpha})
        except peers.Unavailable as reason:
            print(f"  tea-tasting is not there: {reason}")
            return lines
    ours, theirs = result.average_effect, found["cuped"]
    apart = abs(ours.estimate - theirs["effect"]) / ours.std_error
    print(
        f"  {found['version']:24} {found['cpu_s']:7.3f} CPU-s  = {found['cpu_s'] / seconds:.1f} times ours; its CUPED "
        f"effect is {apart:.1g} standard errors apart"
    )
    return lines | {"tea_tasting": found, "ours": ours.to_dict()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--geos", type=int, default=40)
    parser.add_argument("--days", type=int, default=105)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--users", type=int, default=5_000_000)
    asked = parser.parse_args()
    panel = panel_of(asked.geos, asked.days)
    figures: dict[str, Any] = vars(asked) | {"target_cpu_s": TARGET}
    figures["analysis"] = whole_analysis(panel, asked.repeats)
    figures["classic"] = classic_sets(panel, asked.repeats)
    figures["growth"] = growth(GROWTH)
    figures["users"] = on_users(asked.users, asked.repeats)
    keep("experiments", figures)


if __name__ == "__main__":
    main()
