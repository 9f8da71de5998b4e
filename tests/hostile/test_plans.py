"""Bad plans and bad actuals, as json, toml and csv: all of it is refused in words, and nothing in it is ever run."""

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from experiments.registry import plan
from measurement.errors import LONGEST_MESSAGE, DataError
from theodolite import registry_files
from theodolite.registry import actuals_of

PLAN: dict[str, Any] = {
    "experiment_id": "tv-north",
    "channel": ["tv"],
    "method": "go_dark",
    "start_date": "2026-03-02",
    "end_date": "2026-03-29",
    "treatment_geos": ["berlin"],
    "control_geos": ["bonn", "köln"],
    "spend_delta": -1000.0,
    "owner": "Ada",
    "hypothesis": "TV brings sales",
    "mde": 0.04,
    "alpha": 0.1,
}


def as_json(fields: dict[str, Any]) -> str:
    return json.dumps(fields)


def as_toml(fields: dict[str, Any]) -> str:
    def value(each: Any) -> str:
        if isinstance(each, list):
            return f"[{', '.join(map(value, each))}]"
        if isinstance(each, dict):
            return "{" + ", ".join(f"{json.dumps(k)} = {value(v)}" for k, v in each.items()) + "}"
        if each is None:
            return '""'
        return (
            {True: "true", False: "false"}.get(each, json.dumps(each)) if isinstance(each, bool) else json.dumps(each)
        )

    return "".join(f"{json.dumps(name)} = {value(each)}\n" for name, each in fields.items())


def as_csv(fields: dict[str, Any]) -> str:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(fields)
    writer.writerow(
        [
            ";".join(map(str, each)) if isinstance(each, list) and all(isinstance(part, str) for part in each)
            else json.dumps(each) if isinstance(each, list | dict)
            else "" if each is None
            else str(each)
            for each in fields.values()
        ]
    )  # fmt: skip
    return buffer.getvalue()


FORMATS: dict[str, Callable[[dict[str, Any]], str]] = {"json": as_json, "toml": as_toml, "csv": as_csv}
everywhere = pytest.mark.parametrize("kind", FORMATS)


def read(folder: Path, kind: str, data: str | bytes) -> list[plan.Plan]:
    file = folder / f"plan.{kind}"
    file.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return plan.read(file)


def refused(folder: Path, kind: str, data: str | bytes, *words: str) -> None:
    with pytest.raises(DataError) as caught:
        read(folder, kind, data)
    said = str(caught.value)
    assert 0 < len(said) <= LONGEST_MESSAGE
    assert all(c.isprintable() or c == "\n" for c in said)
    assert f"plan.{kind}" in said
    for each in words:
        assert each in said


@everywhere
def test_a_sound_plan_is_the_same_in_every_form(tmp_path: Path, kind: str) -> None:
    assert read(tmp_path, kind, FORMATS[kind](PLAN)) == plan.parse([PLAN])


@everywhere
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spend_delta": "a lot"}, ("spend_delta",)),
        ({"spend_delta": "-1,000"}, ("spend_delta",)),
        ({"mde": "4%"}, ("mde",)),
        ({"mde": -0.1}, ("mde", "0 or more")),
        ({"alpha": 0.9}, ("alpha", "0.01 to 0.5")),
        ({"power": 1.5}, ("power",)),
        ({"cost": "12_000"}, ("cost",)),
        ({"colour": "red"}, ("colour", "is no field of a test")),
        ({"hypotesis": "x"}, ("did you mean 'hypothesis'",)),
        ({"experiment_id": "../../etc/passwd"}, ("no slash",)),
        ({"experiment_id": "..\\secrets"}, ("no slash",)),
        ({"experiment_id": ".hidden"}, ("no dot in front",)),
        ({"experiment_id": "x" * 500}, ("at most 200",)),
        ({"start_date": "02.03.2026"}, ("start_date", "YYYY-MM-DD")),
        ({"start_date": "2026-03-02T00:00:00"}, ("start_date",)),
        ({"end_date": "2026-02-01"}, ("before the start_date",)),
        ({"method": "godark"}, ("did you mean 'go_dark'",)),
        ({"control_geos": ["berlin"]}, ("a geo is in one arm",)),
        ({"estimand": "iroas", "estimate": 2.0, "std_error": 1.0}, ("says nothing of what was measured",)),
        ({"hypothesis": "x" * 20_000}, ("at most 10000",)),
        ({"owner": "bell \x07"}, ()),
        ({"mde": 10**400}, ("mde",)),

        ({"pairs": [["a", "b", "c"]]}, ("pairs",)),
        ({"assignment": {"rule": "dice"}}, ("allowed are uniform",)),
    ],
    ids=str,
)  # fmt: skip
def test_fields_that_are_refused_in_every_form(
    tmp_path: Path, kind: str, changes: dict[str, Any], words: tuple[str, ...]
) -> None:
    refused(tmp_path, kind, FORMATS[kind](PLAN | changes), *words)


@pytest.mark.parametrize("kind", ["json", "toml"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spend_delta": "-1000"}, "without quotes"),
        ({"mde": "0.04"}, "without quotes"),
        ({"mde": True}, "a number is needed"),
        ({"alpha": [0.1]}, "a number is needed"),
        ({"tags": "a"}, "a list of names is needed"),
        ({"tags": [1]}, "a text is needed"),
        ({"tags": ["a", "a"]}, "twice"),
        ({"owner": 5}, "a text is needed"),
        ({"owner": {"name": "Ada"}}, "a text is needed"),
        ({"treatment_geos": "berlin"}, "a list of names is needed"),
        ({"preregistered": "yes"}, "true or false"),
    ],
    ids=str,
)
def test_types_are_strict(tmp_path: Path, kind: str, changes: dict[str, Any], words: str) -> None:
    refused(tmp_path, kind, FORMATS[kind](PLAN | changes), words)


@pytest.mark.parametrize(
    ("kind", "data", "words"),
    [
        ("json", '{"experiment_id": "a", "experiment_id": "b"}', "stands in the record twice"),
        ("json", as_json(PLAN)[:-1] + ', "assignment": {"rule": "uniform", "rule": "pairs"}}', "names a key twice"),
        ("json", "[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("json", as_json(PLAN)[:-1] + ', "pairs": ' + '{"a":' * 100_000 + "1" + "}" * 100_001, "nested too deeply"),
        ("json", as_json(PLAN)[:-1] + ', "cost": ' + "9" * 100_000 + "}", "100000 digits"),
        ("json", as_json(PLAN)[:-1] + ', "cost": NaN}', "finite"),
        ("json", as_json(PLAN)[:-1] + ', "cost": 1e999}', "finite"),
        ("json", as_json(PLAN | {"owner": "\ud800"}), "U+D800"),
        ("json", as_json(PLAN | {"hypothesis": "\udfff"}), "U+DFFF"),
        ("json", "!!python/object/apply:os.system ['true']", "json"),
        ("toml", 'experiment_id = "a"\nexperiment_id = "b"\n', "no sound toml"),
        ("toml", "a = " + "[" * 100_000 + "]" * 100_000, "toml"),
        ("toml", as_toml(PLAN) + f"cost = {'9' * 100_000}\n", "digits"),
        ("toml", as_toml(PLAN) + f"cost = {'9' * 450}\n", "hundreds of digits"),
        ("toml", as_toml(PLAN) + "cost = nan\n", "finite"),
        ("toml", as_toml(PLAN) + "cost = 1e999\n", "finite"),
        ("toml", as_toml(PLAN).replace('"2026-03-02"', "2026-03-02T10:00:00"), "start_date"),
        ("toml", as_toml(PLAN).replace('"2026-03-02"', "10:00:00"), "start_date"),
        ("toml", as_toml(PLAN) + 'owner2 = "x"\n', "did you mean 'owner'"),
        ("toml", "", "empty"),
        ("toml", "# nothing\n", "holds no test"),
        ("toml", "experiment_id: a\nchannel: tv\n", "line 1"),
        ("toml", b"experiment_id = '\xff'\n", "UTF-8"),
        ("toml", b"experiment_id = 'a\x00'\n", "NUL"),
        ("csv", "experiment_id,experiment_id\na,b\n", "names it twice"),
        ("csv", 'experiment_id,channel\n"a,tv\n', "quotes"),
        ("csv", "experiment_id,channel\na\n", "has 1 values"),
        ("csv", as_csv(PLAN | {"assignment": "x"}).replace('"x"', "[" * 10_000), "json list"),
        ("yaml", "experiment_id: a\nchannel: !!python/object/apply:os.system [true]\n", ""),
    ],
    ids=lambda value: str(value)[:30],
)  # fmt: skip
def test_files_that_are_refused(tmp_path: Path, kind: str, data: str | bytes, words: str) -> None:
    refused(tmp_path, kind, data, words)


def test_a_toml_day_and_several_tests(tmp_path: Path) -> None:
    text = as_toml(PLAN).replace('"2026-03-02"', "2026-03-02")
    assert read(tmp_path, "toml", text)[0].experiment.start_date == date(2026, 3, 2)
    both = "[[tests]]\n" + as_toml(PLAN) + "[[tests]]\n" + as_toml(PLAN | {"experiment_id": "b"})
    assert [each.experiment.experiment_id for each in read(tmp_path, "toml", both)] == ["tv-north", "b"]
    refused(tmp_path, "toml", "[[tests]]\n" + as_toml(PLAN) + "[[tests]]\n" + as_toml(PLAN), "one name, one test")


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    wrong = PLAN | {"mde": "x", "alpha": 2, "owner": 5, "colour": 1, "method": "?"}
    with pytest.raises(DataError) as caught:
        read(tmp_path, "json", as_json(wrong))
    assert {problem.column for problem in caught.value.problems} == {"mde", "owner", "colour", "method"}


TOKENS = [
    b'"',
    b",",
    b"\n",
    b"\0",
    b"\xff",
    b"{",
    b"}",
    b"[",
    b"]",
    b"=",
    b"nan",
    b"1e999",
    b"\\ud800",
    b"''",
    b";",
    b"#",
]


@everywhere
@settings(max_examples=60, deadline=None)
@given(changes=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2), st.sampled_from(TOKENS)), min_size=1, max_size=4))
@example(changes=[(0.0, 0.0, b"\xef\xbb\xbf")])
def test_damage_is_refused_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, kind: str, changes: list[tuple[float, float, bytes]]
) -> None:
    data = FORMATS[kind](PLAN).encode()
    for where, length, token in changes:
        at = int(where * len(data))
        data = data[:at] + token + data[at + int(length * len(data)) :]
    try:
        found = read(tmp_path_factory.getbasetemp(), kind, data)
    except DataError as error:
        found, said = [], str(error)
    else:
        said = "nothing"
    assert 0 < len(said) <= LONGEST_MESSAGE
    for each in found:
        assert plan.parse([plan.fields(each)]) == [each], "what was read can be written and read again"


# -- actuals ----------------------------------------------------------------------------------------------------------

ACTUALS: dict[str, Any] = {"incidents": [], "spend": {"treatment": 10.0, "control": 20}, "end_date": "2026-03-20"}


def told(folder: Path, kind: str, text: str) -> Any:
    file = folder / f"actuals.{kind}"
    file.write_text(text, encoding="utf-8")
    return actuals_of(registry_files.actuals(file))


@pytest.mark.parametrize("kind", ["json", "toml"])
def test_sound_actuals(tmp_path: Path, kind: str) -> None:
    found = told(tmp_path, kind, FORMATS[kind](ACTUALS))
    assert (found.spend, found.end_date, found.incidents) == ({"treatment": 10, "control": 20}, date(2026, 3, 20), ())
    assert told(tmp_path, "toml", "incidents = ['x']\nspend_delta = -5\nend_date = 2026-03-20\n").spend_delta == -5


@pytest.mark.parametrize("kind", ["json", "toml"])
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"incidents": "none"}, "incidents"),
        ({"incidents": [1]}, "incidents"),
        ({"incidents": [""]}, "1 to 10000"),
        ({"spend": {"treatment": "10"}}, "spend.treatment"),
        ({"spend": {"treatment": True}}, "spend.treatment"),
        ({"spend": {"shops": 1}}, "'shops' is no cell"),
        ({"spend": {"treatment": -1}}, "0 or more"),
        ({"spend": 5}, "spend"),
        ({"spend": {}}, "spend by cell is needed"),
        ({"end_date": "20.3.2026"}, "end_date"),
        ({"end_date": 20260320}, "end_date"),
        ({"end_date": "2026-03-20T00:00:00"}, "end_date"),
        ({"colour": "red"}, "colour"),
    ],
    ids=str,
)
def test_actuals_that_are_refused(tmp_path: Path, kind: str, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        told(tmp_path, kind, FORMATS[kind](ACTUALS | changes))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("json", '{"incidents": [], "incidents": [], "spend_delta": 1}'),
        ("json", '{"incidents": [], "spend": {"treatment": 1, "treatment": 2}}'),
        ("json", '{"incidents": [], "spend_delta": NaN}'),
        ("json", '{"incidents": [], "spend_delta": ' + "9" * 100_000 + "}"),
        ("json", '{"incidents": [], "spend_delta": ' + "9" * 390 + "}"),
        ("json", '{"incidents": ["\\ud800"], "spend_delta": 1}'),
        ("json", "[]"),
        ("json", "[{}, {}]"),
        ("json", "[" * 100_000),
        ("toml", "incidents = []\nspend_delta = inf\n"),
        ("toml", "incidents = []\nend_date = 2026-03-20T10:00:00\nspend_delta = 1\n"),
        ("csv", "incidents,spend_delta\nx,1\n"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_files_of_actuals_that_are_refused(tmp_path: Path, kind: str, text: str) -> None:
    with pytest.raises(DataError) as caught:
        told(tmp_path, kind, text)
    assert 0 < len(str(caught.value)) <= LONGEST_MESSAGE
