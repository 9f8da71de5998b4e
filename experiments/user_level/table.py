"""Read the table of a test on users: one row a user, summed up in DuckDB, or the sums of each arm."""

from collections.abc import Sequence
from pathlib import Path

from experiments.user_level import aggregated, sums
from experiments.user_level.users import BEFORE, Users
from measurement.errors import Problem, refuse, shown
from measurement.reading import source
from measurement.reading.source import MOST, Column, Contract, Loaded

ARMS = aggregated.ARMS
_OWN = (
    Column("user_id", "text"),
    Column("arm", "text", choices=ARMS),
    Column("exposed", "flag", required=False, blank=True),
    Column("predicted", "flag", required=False),
    Column("date", "date", required=False),
    Column("timestamp", "timestamp", required=False),
)
_WRITE_ZERO = "write 0 where the user brought nothing"


def read_users(path: str | Path, kpis: Sequence[str] = (), *, denominator: str | None = None) -> Users:
    """Read the users of a test.

    One row a user: ``user_id, arm`` (treatment or control), the KPIs, and where there are any ``exposed`` (true, false;
    in control: would have been exposed, or blank where nobody knows), ``predicted`` (whether exposure was predicted,
    by one rule for both arms), ``date`` or ``timestamp`` of enrolment, and covariates: columns named ``pre_...``, known
    of each user before the test. A table of sums is taken too: see `experiments.user_level.aggregated`.

    Args:
        path: csv or parquet file, or a glob.
        kpis: KPI columns; all columns of numbers where none are named.
        denominator: Column that the KPI is divided by where a ratio is wanted (sessions, orders), 0 or more.

    Raises:
        DataError: With every problem found, file, line and column: values that are no numbers, an arm of another name,
            a user twice or in both arms, an arm without users, exposure known of some only.
    """
    header = source.header(path)
    if "users" in header and "user_id" not in header:
        return aggregated.read(path, kpis)
    _refuse_names(kpis, denominator)
    with source.connect() as connection:
        loaded = source.load(connection, _contract(header, kpis, denominator), path, "users")
        if not loaded.complete:
            refuse(source.ordered(loaded.problems))
        with source.readable(loaded.parts[0].file, loaded.problems):
            loaded.problems += [*_repeated(loaded), *_exposure_gaps(loaded), *_no_kpi(loaded, denominator)]
            refuse(source.ordered(loaded.problems))
            return _summed(loaded, kpis, denominator)


def _refuse_names(kpis: Sequence[str], denominator: str | None) -> None:
    taken = {column.name for column in _OWN}
    asked = [("kpi", name) for name in kpis] + [("denominator", name) for name in (denominator,) if name]
    problems = [
        Problem(f"'{shown(name)}' is a column of its own meaning and no KPI", column=field, code="reserved-name")
        for field, name in asked
        if name in taken
    ]
    if denominator in kpis:
        problems.append(Problem("a KPI is not divided by itself", column="denominator", code="denominator"))
    refuse(problems)


def _contract(header: Sequence[str], kpis: Sequence[str], denominator: str | None) -> Contract:
    wanted = dict.fromkeys(kpis)
    if kpis:
        wanted |= dict.fromkeys(name for name in header if name.startswith(BEFORE))
    named = [Column(name, "number", advice=_WRITE_ZERO) for name in wanted]
    if denominator:
        named.append(Column(denominator, "number", minimum=0.0, advice=_WRITE_ZERO))
    return Contract("users", _OWN, tuple(named), extra="ignore" if kpis else "numbers")


def _numbers(loaded: Loaded) -> list[str]:
    """KPIs, denominator and covariates; sorted, so that the order of the columns changes nothing."""
    return sorted(set(loaded.aliases) - {column.name for column in _OWN})


def _no_kpi(loaded: Loaded, denominator: str | None) -> list[Problem]:
    if any(not name.startswith(BEFORE) and name != denominator for name in _numbers(loaded)):
        return []
    return [loaded.parts[0].file.problem("the table needs a column of numbers: the KPI", "no-kpi")]


def _repeated(loaded: Loaded) -> list[Problem]:
    """Users that stand in the table more than once. Their ids are not shown."""
    run = loaded.connection.execute
    # equal ids have equal hashes, and counting hashes is faster than counting texts
    distinct, rows = run("SELECT count(DISTINCT hash(user_id)), count(user_id) FROM users").fetchone() or (0, 0)
    if distinct == rows:
        return []
    twice = "SELECT user_id FROM users WHERE user_id IS NOT NULL GROUP BY 1 HAVING count(*) > 1"
    first = f"{twice} ORDER BY min(source_row) LIMIT {MOST}"
    query = (
        "SELECT source_row, arm, first_value(source_row) OVER own, first_value(arm) OVER own FROM users "  # noqa: S608
        f"WHERE user_id IN ({first}) WINDOW own AS (PARTITION BY user_id ORDER BY source_row)"
    )
    repeats = run(f"SELECT * FROM ({query}) AS r(row, arm, first, other) WHERE row <> first ORDER BY 1 LIMIT {MOST}")  # noqa: S608
    found = repeats.fetchall()
    places = loaded.places([row for each in found for row in (each[0], each[2])])
    problems = []
    for row, arm, first_row, other in found:
        (file, line), (first_file, first_line) = places[row], places[first_row]
        where = f"line {first_line}" if file == first_file else f"{shown(first_file)}:{first_line}"
        if arm != other:
            words = f"this user stands in {where} already, in the other arm ({shown(other)}); a user is in one arm"
            problems.append(Problem(words, file, line, "user_id", code="user-in-both-arms"))
        else:
            words = f"this user stands in {where} already; one row a user"
            problems.append(Problem(words, file, line, "user_id", code="duplicate-user"))
    return problems


def _exposure_gaps(loaded: Loaded) -> list[Problem]:
    """An arm without users, and exposure that is known of some users only."""
    run, file = loaded.connection.execute, loaded.parts[0].file
    if any(problem.column == "arm" and problem.level == "error" for problem in loaded.problems):
        return []
    known = "exposed IS NOT NULL" if "exposed" in loaded.aliases else "true"
    counts = {arm: (users, seen) for arm, users, seen in run(_counted(known)).fetchall()}
    problems = [
        file.problem(f"no user is in {arm}; a test has users in treatment and in control", "no-arm", column="arm")
        for arm in ARMS
        if arm not in counts
    ]
    for arm, (users, seen) in sorted(counts.items()):
        if seen < users and (arm == "treatment" or seen):
            gaps = run(
                f"SELECT source_row FROM users WHERE exposed IS NULL AND arm = '{arm}' ORDER BY 1 LIMIT {MOST}"  # noqa: S608
            )
            words = f"is blank; write true or false for every user in {arm}"
            words += "" if arm == "treatment" else ", or leave all of them blank where nobody knows"
            problems += loaded.at([row for (row,) in gaps.fetchall()], words, "blank", "exposed")
    return problems


def _counted(known: str) -> str:
    return f"SELECT arm, count(*), count_if({known}) FROM users GROUP BY 1"  # noqa: S608


def _summed(loaded: Loaded, kpis: Sequence[str], denominator: str | None) -> Users:
    names = tuple(_numbers(loaded))
    own = tuple(kpis) or tuple(name for name in names if not name.startswith(BEFORE) and name != denominator)
    lows, highs, binary = sums.ranges(loaded, names)
    day = next((f"CAST({name} AS DATE)" for name in ("date", "timestamp") if name in loaded.aliases), "NULL")
    control_seen = "exposed" in loaded.aliases and bool(
        (loaded.connection.execute("SELECT count(exposed) FROM users WHERE arm = 'control'").fetchone() or (0,))[0]
    )
    return Users(
        names=names,
        kpis=own,
        binary=binary,
        denominator=denominator,
        cells=sums.cells(loaded, names, own, (lows, highs), day),
        has_exposure="exposed" in loaded.aliases,
        control_exposure=control_seen,
        has_prediction="predicted" in loaded.aliases,
        has_days=day != "NULL",
        problems=tuple(source.ordered(loaded.problems)),
        source=loaded.parts[0].file.name,
    )
