"""The registry and files: actuals that are read, the registry written whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.records import resolved
from experiments.registry.ledger import Registered
from measurement.errors import DataError, DesignError, Problem, refuse, shown
from measurement.periods import last_day
from measurement.reading import files, objects
from measurement.typing import Json
from measurement.whole_file import whole_file
from theodolite.days import day

if TYPE_CHECKING:
    from experiments.records import Experiment
    from measurement import Panel

KINDS = (".csv", ".parquet", ".json")
LISTS = ("tags", "channel", "treatment_geos", "control_geos")
NUMBERS = ("estimate", "std_error", "p_value", "spend_delta", "version")


def refuse_export(file: Path, *, force: bool) -> None:
    """Refuse a file that the registry is not written to, before anything is worked out.

    Raises:
        DataError: Where it has another ending, or is there and ``force`` is not set.
    """
    if file.suffix.lower() not in KINDS:
        raise DataError(f"the registry is written to {', '.join(KINDS)}; found '{shown(file.name)}'")
    if file.exists() and not force:
        raise DataError(f"{shown(file)} is there already: name another file, or write over it with --force")


def export(file: Path, rows: tuple[Json, ...], everything: Json, *, force: bool) -> Path:
    """Write the registry.

    Args:
        file: csv and parquet take one row per test, json everything.
        rows: One flat row per test.
        everything: All of it.
        force: Whether a file that is there may be replaced.

    Raises:
        DataError: As `refuse_export`, and where it cannot be written.
    """
    refuse_export(file, force=force)
    with whole_file(file, "the registry", over=force) as draft:
        match file.suffix.lower():
            case ".json":
                text = json.dumps(everything, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
                draft.write_text(text, encoding="utf-8", newline="\n")
            case ".csv":
                draft.write_text(_csv(rows), encoding="utf-8", newline="")
            case _:
                _parquet(rows, draft)
    return file


def _csv(rows: tuple[Json, ...]) -> str:
    from theodolite.report.csv_text import csv_text

    header = list(rows[0]) if rows else ["experiment_id"]
    return csv_text(header, ([_cell(row[name]) for name in header] for row in rows))


def _cell(value: Any) -> Any:
    """A list as a cell that records are read from: names with ``;`` between them, or json where that is not enough."""
    if not isinstance(value, list):
        return value
    plain = all(";" not in each and not each.startswith("[") for each in value)
    return ";".join(value) if plain else json.dumps(value, ensure_ascii=False)


def _parquet(rows: tuple[Json, ...], draft: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(list(rows))
    numbers = {name: "float64" for name in NUMBERS if name in frame}
    frame.astype(numbers).to_parquet(draft, index=False)


def actuals(file: Path) -> dict[str, Any]:
    """What happened to a test, from a json or toml file with one object.

    Raises:
        DataError: Where the file is wrong; what is wrong about the values is said where they are used.
    """
    (found,) = files.find(file)
    data, kind = objects.content(found), found.path.suffix.casefold()
    if kind not in (".json", ".toml"):
        raise DataError([found.problem("is neither json nor toml", "unknown-format")])
    read = objects.from_toml if kind == ".toml" else objects.from_json
    several = read(found, data, "test's actuals")
    if len(several) > 1:
        raise DataError([found.problem(f"holds {len(several)} objects; one is needed", "several")])
    fields = several[0]
    names = [name for name, _ in fields]
    twice = [found.problem("stands there twice", "duplicate-key", None, n) for n in {*names} if names.count(n) > 1]
    broken = [found.problem(v.words, "field", None, n) for n, v in fields if isinstance(v, objects.Refused)]
    refuse([*twice, *broken])
    return dict(fields)


def with_spend(test: Registered, told: Mapping[str, Any], panel: "Panel", aliases: Mapping[str, str]) -> dict[str, Any]:
    """Actuals with what the study's media say was spent in treatment and control over the test's dates.

    Raises:
        DataError: Where spend is told already, or the data do not reach to the test's end.
    """
    if told.get("spend") or told.get("spend_delta") is not None:
        raise DataError("the spend is given: leave it out, or leave --spend-from-data out")
    days = {name: value for name, value in told.items() if name in ("start_date", "end_date") and value}
    record = resolved(test.conducted.model_copy(update={name: _as_date(days[name]) for name in days}), aliases)
    if record.end_date > last_day(panel.dates[-1], panel.period).item():
        words = f"the media end before the test does ({record.end_date}): wait for the data, or give --spend"
        raise DataError([Problem(words, code="media-too-short")])
    part = panel.window(record.start_date, record.end_date)
    money = panel.spend[:, part][:, :, panel.channel_index(record.channel)].sum(axis=(1, 2))
    treated = record.treatment_geos or tuple(pair[0] for pair in record.pairs) or panel.geos
    control = record.control_geos or tuple(pair[1] for pair in record.pairs)
    spend = {"treatment": float(money[panel.geo_index(treated)].sum())}
    if control:
        spend["control"] = float(money[panel.geo_index(control)].sum())
    delta = _change(record, panel)
    found = {**told, "spend": spend, "source": "the study's media table"}
    return found if delta is None else found | {"spend_delta": delta}


def _change(record: "Experiment", panel: "Panel") -> float | None:
    """The change of spend that the media show, where the test's design lets it be worked out."""
    from experiments.geo.case import resolve
    from experiments.geo.spend import spend_change

    bare = record.model_copy(update={"spend_delta": None})
    try:
        return spend_change(panel, bare, resolve(panel, bare)).delta
    except (DataError, DesignError):
        return None


def _as_date(value: Any) -> Any:
    return day(value, "day") if isinstance(value, str) else value
