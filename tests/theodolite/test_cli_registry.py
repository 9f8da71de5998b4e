"""The registry on the command line: a test from its plan to the evidence, and everything that is refused on the way."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from theodolite import Study
from theodolite.workspace import Settings, initialise

GEOS = [f"town {i:02d}" for i in range(16)]
PLAN = {
    "experiment_id": "tv-2024",
    "channel": ["TV"],
    "method": "go_dark",
    "treatment_geos": GEOS[2:4],
    "control_geos": GEOS[6:],
    "start_date": "2024-01-15",
    "end_date": "2024-02-11",
    "kpi": "revenue",
    "assignment": {"rule": "uniform", "seed": 1, "eligible": [*GEOS[2:4], *GEOS[6:]]},
}
QUESTION = (
    "--hypothesis",
    "TV brings sales",
    "--decision-rule",
    "cut where iROAS < 1",
    "--mde",
    ".05",
    "--power",
    ".8",
)


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """16 towns over 60 weeks; TV was off in two of them for four weeks, and sales fell."""
    rng = np.random.default_rng(6)
    where = tmp_path_factory.mktemp("study")
    weeks = np.datetime64("2023-01-02") + 7 * np.arange(60)
    common = 1 + 0.05 * rng.normal(size=60)
    off = (weeks >= np.datetime64("2024-01-15")) & (weeks <= np.datetime64("2024-02-11"))
    sold, spent = ["date,geo,revenue"], ["date,geo,channel,spend"]
    for i, geo in enumerate(GEOS):
        dark = off & (geo in PLAN["treatment_geos"])
        sales = 1000 * (1 + i / 5) * common * (1 + 0.01 * rng.normal(size=60)) * np.where(dark, 0.9, 1.0)
        money = np.where(dark, 0.0, 40 * (1 + i / 5))
        sold += [f"{week},{geo},{value:.2f}" for week, value in zip(weeks, sales, strict=True)]
        spent += [f"{week},{geo},tv,{value:.2f}" for week, value in zip(weeks, money, strict=True)]
    (where / "outcome.csv").write_text("\n".join(sold) + "\n")
    (where / "media.csv").write_text("\n".join(spent) + "\n")
    return where


def workspace(company: Path, folder: Path) -> Study:
    others = dict.fromkeys(("experiments", "touchpoints", "platform"))
    names = str(company / "media.csv"), str(company / "outcome.csv")
    initialise(folder, *names, None, others, Settings("acme", "revenue", None, 0.5, "CHF"))
    config = folder / "theodolite.toml"
    text = config.read_text().replace("# aliases = []", 'aliases = ["TV"]')
    for name in ("media.csv", "outcome.csv"):
        text = text.replace(f"../{name}", (company / name).as_posix())
    config.write_text(text)
    return Study.open(folder)


@pytest.fixture
def folder(company: Path, tmp_path: Path) -> Path:
    return workspace(company, tmp_path / "acme").folder


@pytest.fixture(scope="module")
def running(company: Path) -> Path:
    """A workspace with a running test, and one in review; copy it."""
    registry = workspace(company, company / "running").registry
    registry.register(PLAN, by="Ada")
    registry.submit("tv-2024")
    registry.approve("tv-2024", by="Grace")
    registry.start("tv-2024")
    later = {"start_date": "2024-06-03", "end_date": "2024-06-30"}
    registry.register({**PLAN, **later, "experiment_id": "tv-later"}, by="local")
    registry.submit("tv-later")
    return company / "running"


@pytest.fixture(scope="module")
def accepted(company: Path) -> Path:
    """A workspace with an accepted test; copy it."""
    registry = workspace(company, company / "accepted").registry
    registry.register({**PLAN, "hypothesis": "TV brings sales"}, by="Ada")
    registry.submit("tv-2024")
    registry.approve("tv-2024", by="Grace")
    registry.start("tv-2024")
    registry.complete("tv-2024", registry.told("tv-2024", None, {"incidents": []}, from_data=True))
    registry.analyse("tv-2024")
    registry.accept("tv-2024", by="Grace")
    return company / "accepted"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(PLAN))
    return file


def whole_life(run: Any, folder: Path, plan: Path) -> list[Any]:
    """Every command of a life, each of which must work."""
    steps = [
        ("register", plan, *QUESTION, "--by", "Ada"),
        ("submit", "tv-2024", "--by", "Ada"),
        ("approve", "tv-2024", "--by", "Grace", "--reason", "sound"),
        ("start", "tv-2024", "--by", "Ada"),
        ("complete", "tv-2024", "--spend-from-data", "--no-incidents", "--by", "Ada"),
        ("analyse", "tv-2024", "--by", "Ada"),
        ("accept", "tv-2024", "--by", "Grace"),
    ]
    ended = [run("experiments", *step, "-w", folder) for step in steps]
    assert [(each.code, each.err) for each in ended] == [(0, "")] * len(steps)
    return ended


NEXT = {
    "register": "the plan is a draft",
    "submit": "until somebody else than its author approves it",
    "approve": "the test has not begun",
    "start": "the test still runs",
    "complete": "Have the registry analyse it",
    "analyse": "Accept it in the registry",
    "accept": "Fit the model: version 1 of its result is accepted",
    "reject": "It was rejected (a strike)",
    "supersede": "Read 'tv-later', which took its place (longer)",
}


def test_what_is_shown_of_a_test_says_what_to_do_next_in_every_state(run: Any, folder: Path) -> None:
    later = {"experiment_id": "tv-later", "start_date": "2024-06-03", "end_date": "2024-06-30"}
    registry = Study.open(folder).registry
    registry.register({**PLAN, **later}, by="Ada")
    acts = {
        "register": lambda: registry.register(PLAN, by="Ada"),
        "submit": lambda: registry.submit("tv-2024"),
        "approve": lambda: registry.approve("tv-2024", by="Grace"),
        "start": lambda: registry.start("tv-2024"),
        "complete": lambda: registry.complete(
            "tv-2024", registry.told("tv-2024", None, {"incidents": ["a strike"]}, from_data=True)
        ),
        "analyse": lambda: registry.analyse("tv-2024"),
        "accept": lambda: registry.accept("tv-2024", by="Grace"),
        "reject": lambda: registry.reject("tv-2024", "a strike"),
        "supersede": lambda: registry.supersede("tv-2024", "tv-later", "longer"),
    }
    assert list(acts) == list(NEXT)
    for name, act in acts.items():
        act()
        shown = run("experiments", "show", "tv-2024", "-w", folder)
        assert (shown.code, shown.err) == (0, "")
        assert NEXT[name] in shown.out.split("What to do next:")[1].replace("\n", " "), name
        assert ("Accept it in the registry" in shown.out) == (name == "analyse")
    registry.cancel("tv-later", "no money")
    assert "It was given up (no money)" in run("experiments", "show", "tv-later", "-w", folder).out


def test_the_grade_that_counts_is_told_beside_that_of_the_analysis(run: Any, accepted: Path, tmp_path: Path) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(accepted, folder)
    study = Study.open(folder)
    found = study.dossier("tv-2024")
    assert found.standing is not None
    assert found.result is not None
    counts, own = found.standing.grade, found.result.grade
    graded = study.registry.grade("tv-2024")
    assert graded is not None
    assert counts is not None
    assert counts == graded.grade > own, "the registry's checklist is longer"
    words = found.standing.which_grade(found.result)
    assert words.startswith(f"Grade {counts} counts: the registry also holds the test against its plan")
    assert "complete record" in words
    page = study.experiment_page("tv-2024").read_text(encoding="utf-8")
    assert "Grade of this analysis" in page
    assert "the registry also holds the test against its plan" in page
    study.registry.regrade("tv-2024", "E", "spill-over", by="Grace")
    by_hand = study.standing("tv-2024")
    assert by_hand.which_grade(found.result).startswith("Grade E counts, given by hand: spill-over (Grace).")
    assert "grade E is no evidence" in " ".join(by_hand.steps())
    again = run("experiments", "analyse", "tv-2024", "--seed", 3, "-w", folder)
    assert (again.code, again.err) == (0, "")
    assert "Version 2 of its result is new" in again.out.replace("\n", " ")


def test_a_test_goes_from_its_plan_to_evidence(run: Any, folder: Path, plan: Path) -> None:
    said = [each.out for each in whole_life(run, folder, plan)]
    assert "tv-2024 is draft" in said[0]
    assert "Next: submit it for review" in said[0]
    assert "frozen under" in said[2]
    assert "no pre-registration" in said[2], "the test lies in the past"
    assert "Kept as version 1" in said[5]
    study = Study.open(folder)
    (evidence,) = study.experiments()
    assert evidence.experiment_id == "tv-2024"
    assert evidence.spend_delta == pytest.approx(-4 * 40 * (1.4 + 1.6), rel=0.02)
    assert [item.id for item in study.evidence()[0]] == ["tv-2024"]
    shown = json.loads(run("experiments", "show", "tv-2024", "-w", folder, "--json").out)["registry"]
    assert (shown["state"], shown["approved_by"], shown["preregistered"]) == ("accepted", "Grace", False)
    assert shown["approved_plan"] == shown["plan_hash"]
    assert shown["grade"] in "ABC"
    assert [step["by"] for step in shown["history"]] == ["Ada", "Ada", "Grace", "Ada", "Ada", "Ada", "Grace"]
    words = run("experiments", "show", "tv-2024", "-w", folder).out
    for each in ("frozen plan", "Result, version 1 (counts)", "spend delivered", "History", "sound"):
        assert each in words


def test_a_plan_does_not_disturb_what_is_known(run: Any, folder: Path, plan: Path) -> None:
    assert run("experiments", "register", plan, "-w", folder).code == 0
    study = Study.open(folder)
    assert study.experiments() == []
    assert study.evidence() == ((), ())
    assert [test.state for test in study.registry.list()] == ["draft"]
    assert all(problem.level != "error" for problem in study.check())
    assert "tv-2024" in run("experiments", "list", "-w", folder).out


def test_an_analysis_again_is_a_new_version_and_the_same_one_is_not(run: Any, accepted: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(accepted, tmp_path / "copy"))
    again = ("experiments", "analyse", "tv-2024", "-w", folder, "--by", "Ada")
    assert "Kept as version 1" in run(*again).out, "the same data, settings and seed: the same result"
    assert "Kept as version 2" in run(*again, "--estimator", "sdid", "--reason", "a reviewer asked").out
    study = Study.open(folder)
    test = study.registry.get("tv-2024")
    assert (test.state, test.accepted, len(test.versions)) == ("analysed", 1, 2)
    assert study.experiments()[0].estimate == test.versions[0].record.estimate
    shown = study.registry.show("tv-2024")["results"][1]
    assert shown["departures"] == ["estimator sdid, planned was default"]
    assert "plan followed" in [c["check"] for c in shown["grade_reasons"] if not c["passed"]]
    assert run("experiments", "accept", "tv-2024", "--version", "2", "-w", folder).code == 0
    assert Study.open(folder).experiments()[0].estimate == test.versions[1].record.estimate


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("approve", "tv-later"), "local wrote this plan"),
        (("approve", "tv-2023"), "did you mean 'tv-2024'"),
        (("analyse", "tv-2024"), "is running; 'analyse' needs one that is completed"),
        (("start", "tv-later"), "is in review; 'start' needs one that is approved"),
        (("start", "tv-later", "--on", "15.1.2024"), "YYYY-MM-DD"),
        (("cancel", "tv-2024", "--reason", " "), "needs a reason"),
        (("accept", "tv-2024"), "needs one that is"),
        (("list", "--state", "runing"), "did you mean 'running'"),
        (("list", "--channel", "radio"), "no test is registered for the channel 'radio'"),
        (("list", "--chart", "calendar.docx"), ".png, .svg, .html"),
        (("export", "registry.xlsx"), ".csv, .parquet, .json"),
        (("register",), "--id, --channel, --method, --start, --end"),
        (("register", "--id", "x"), "--channel, --method, --start, --end"),
        (("regrade", "tv-2024", "F", "--reason", "x"), "'F' is no grade"),
        (("supersede", "tv-2024", "--with", "tv-9", "--reason", "x"), "there is no test 'tv-9'"),
        (("deviate", "tv-2024", "--reason", "x" * 20_000), "the text has 20000 characters; at most 10000"),
        (("deviate", "tv-2024", "--reason", "bell \x07"), "U+0007"),
    ],
)
def test_what_is_refused_changes_nothing(
    run: Any, running: Path, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    folder = Path(shutil.copytree(running, tmp_path / "copy"))
    head = Study.open(folder).head
    ended = run("experiments", *arguments, "-w", folder)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "Traceback" not in ended.err
    assert Study.open(folder).head == head


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ((), "say what disturbed the test"),
        (("--no-incidents",), "spend by cell is needed"),
        (("--no-incidents", "--spend", "treatment"), "write it as treatment=12000"),
        (("--no-incidents", "--spend", "treatment=12k"), "plain number"),
        (("--no-incidents", "--spend", "shops=1"), "'shops' is no cell"),
        (("--no-incidents", "--incident", "x", "--spend", "treatment=1"), "not both"),
        (("--no-incidents", "--spend", "treatment=1", "--spend-from-data"), "the spend is given"),
        (("--no-incidents", "--spend", "treatment=1", "--end", "2023-01-01"), "before its start"),
        (("--no-incidents", "--spend-from-data", "--end", "2025-01-01"), "the media end before the test"),
    ],
)
def test_actuals_that_are_refused(run: Any, running: Path, told: tuple[str, ...], words: str) -> None:
    ended = run("experiments", "complete", "tv-2024", *told, "-w", running)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ('{"incidents": [], "spend_dleta": -5}', "no such field (did you mean 'spend_delta'?)"),
        ('{"incidents": [], "spend_delta": "-5"}', "found the text '-5'"),
        ('{"incidents": ["\\ud800"], "spend_delta": -5}', "half of a character"),
        ('{"incidents": [], "spend_delta": ' + "[" * 400 + "]" * 400 + "}", "nested too deeply"),
        ('{"incidents": [], "spend_delta": ' + "[" * 5_000 + "]" * 5_000 + "}", "nested too deeply"),
        ('{"incidents": [], "incidents": ["x"], "spend_delta": -5}', "stands there twice"),
        ('{"incidents": [], "spend_delta": -' + "9" * 5_000 + "}", "digits"),
        ('{"incidents": false, "spend_delta": true}', "spend_delta"),
    ],
    ids=lambda value: value[:40],
)
def test_files_of_actuals_that_are_refused(run: Any, running: Path, tmp_path: Path, told: str, words: str) -> None:
    (tmp_path / "actuals.json").write_text(told)
    ended = run("experiments", "complete", "tv-2024", "--actuals", tmp_path / "actuals.json", "-w", running)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert len(ended.err) < 4_000


def test_a_plan_is_not_frozen_with_an_estimator_that_is_none(run: Any, folder: Path, plan: Path) -> None:
    ended = run("experiments", "register", plan, "--estimator", "sidd", "-w", folder)
    assert (ended.code, "did you mean 'sdid'" in ended.err) == (2, True)
    assert run("experiments", "register", plan, "--estimator", "sdid", "-w", folder).code == 0


def test_a_plan_from_options_and_from_toml_is_the_same(run: Any, folder: Path, tmp_path: Path) -> None:
    toml = tmp_path / "plan.toml"
    toml.write_text(
        'experiment_id = "a"\nchannel = "tv"\nmethod = "go_dark"\nstart_date = 2024-06-03\nend_date = 2024-06-30\n'
        f'treatment_geos = ["{GEOS[0]}"]\ncontrol_geos = ["{GEOS[1]}"]\nspend_delta = -100\nowner = "Ada"\nmde = 0.05\n'
    )
    options = ("--id", "a", "--channel", "tv", "--method", "go_dark", "--start", "2024-06-03", "--end", "2024-06-30")
    options += ("--treatment-geos", GEOS[0], "--control-geos", GEOS[1], "--spend-delta", "-100", "--owner", "Ada")
    assert run("experiments", "register", toml, "-w", folder).code == 0
    before = Study.open(folder).head
    assert run("experiments", "register", *options, "--mde", "0.05", "-w", folder).code == 0
    assert Study.open(folder).head == before, "the same content is no new event"
    ended = run("experiments", "register", toml, "--mde", ".06", "-w", folder)
    assert (ended.code, "mde: 0.05 -> 0.06" in ended.err) == (2, True)
    assert run("experiments", "register", toml, "--mde", ".06", "--revise", "-w", folder).code == 0
    test = Study.open(folder).registry.get("a")
    assert (test.protocol.mde, test.plan_version) == (0.06, 2)


def test_conflicts_are_told_at_once_and_forbid_the_approval(
    run: Any, running: Path, plan: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(running, tmp_path / "copy"))
    said = run("experiments", "register", plan, "--id", "second", "-w", folder).out
    assert "Conflict: test 'second' treats town 02, town 03, which is treated by test 'tv-2024' (running)" in said
    run("experiments", "submit", "second", "-w", folder)
    ended = run("experiments", "approve", "second", "--self-approve", "-w", folder)
    assert (ended.code, "town 02" in ended.err) == (2, True)


CLOSED = """
[[blackouts]]
start = 2024-06-24
end = 2024-07-07
reason = "the championship"
"""


def test_a_blackout_is_told_at_once_and_forbids_the_approval(run: Any, running: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(running, tmp_path / "copy"))
    with (folder / "theodolite.toml").open("a") as toml:
        toml.write(CLOSED)
    ended = run("experiments", "approve", "tv-later", "--by", "Grace", "-w", folder)
    assert (ended.code, "2024-06-24 to 2024-07-07 (the championship)" in ended.err) == (2, True)
    assert "it could begin on 2024-07-08" in ended.err
    assert "Conflict" in run("experiments", "show", "tv-later", "-w", folder).out
    said = json.loads(run("experiments", "list", "--json", "-w", folder).out)
    assert said["blackouts"] == [{"start": "2024-06-24", "end": "2024-07-07", "reason": "the championship"}]


def test_a_plan_keeps_clear_of_blackouts_and_of_other_tests(run: Any, running: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(running, tmp_path / "copy"))
    ask = ("experiments", "design", "--channel", "tv", "--duration", "3", "--geos", "2", "--quiet", "-w", folder)
    said = run(*ask, "--start", "2024-01-22").out
    assert f"Left out, since they are in another test then: {', '.join(GEOS[2:4])}" in said
    record = tmp_path / "plan.json"
    assert run(*ask, "--start", "2024-01-22", "--id", "clear", "--save", record).code == 0
    assert not {*json.loads(record.read_text())["treatment_geos"]} & {*GEOS[2:4], *GEOS[6:]}
    assert "Conflict" not in run("experiments", "register", record, "-w", folder).out
    with (folder / "theodolite.toml").open("a") as toml:
        toml.write(CLOSED)
    ended = run(*ask, "--start", "2024-06-10")
    assert (ended.code, "--duration: 3 weeks: no test may run" in ended.err) == (2, True)
    assert "could begin on 2024-07-08" in ended.err


def test_a_test_that_holds_every_market_leaves_room_for_none(run: Any, folder: Path) -> None:
    study = Study.open(folder)
    all_others = {name: value for name, value in PLAN.items() if name not in ("control_geos", "assignment")}
    study.registry.register(all_others, by="Ada")
    study.registry.submit("tv-2024")
    study.registry.approve("tv-2024", by="Grace")
    ask = ("experiments", "design", "--channel", "tv", "--duration", "3", "--geos", "2", "--quiet", "-w", folder)
    ended = run(*ask, "--start", "2024-01-22")
    assert (ended.code, "holds every market until 2024-02-11: begin on 2024-02-12" in ended.err) == (2, True)


def test_the_registry_as_files(run: Any, accepted: Path, plan: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(accepted, tmp_path / "copy"))
    run("experiments", "register", plan, "--id", "=cmd()", "--title", "@later", "-w", folder)
    files = [tmp_path / f"registry.{kind}" for kind in ("csv", "parquet", "json")]
    for file in files:
        assert run("experiments", "export", file, "-w", folder).code == 0
    rows = list(csv.DictReader(files[0].read_text("utf-8").splitlines()))
    assert [row["experiment_id"] for row in rows] == ["tv-2024", "'=cmd()"], "no spreadsheet runs it"
    assert rows[1]["title"] == "'@later"
    assert rows[0]["treatment_geos"] == ";".join(GEOS[2:4])
    frame = pd.read_parquet(files[1])
    assert frame["state"].tolist() == ["accepted", "draft"]
    assert list(frame["treatment_geos"][0]) == GEOS[2:4]
    whole = json.loads(files[2].read_text("utf-8"))
    assert whole["head"] == Study.open(folder).head
    assert len(whole["experiments"][0]["history"]) == 7
    ended = run("experiments", "export", files[0], "-w", folder)
    assert (ended.code, "is there already" in ended.err) == (2, True)
    assert run("experiments", "export", files[0], "--force", "-w", folder).code == 0


def test_the_calendar_is_drawn(run: Any, running: Path, tmp_path: Path) -> None:
    chart = tmp_path / "calendar.svg"
    assert run("experiments", "list", "--chart", chart, "-w", running).code == 0
    assert "tv-2024" in chart.read_text("utf-8")


def test_questions_are_asked_at_a_terminal_only(run: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "Id": "b", "Channel": "tv", "Method": "go_dark", "First": "2024-06-03", "Last day of": "", "Last": "2024-06-30",
        "Treated": "town 00, town 01", "Control": "town 02", "Planned": "-100", "Hypothesis": "it works",
    }  # fmt: skip
    asked: list[str] = []

    def answer(question: str, **_: Any) -> str:
        asked.append(question)
        return next((value for start, value in answers.items() if question.startswith(start)), "")

    monkeypatch.setattr("typer.prompt", answer)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    assert run("experiments", "register", "--power", ".8", "-w", folder).code == 0
    test = Study.open(folder).registry.get("b")
    assert test.experiment.treatment_geos == ("town 00", "town 01")
    assert (test.experiment.spend_delta, test.protocol.hypothesis, test.protocol.power) == (-100.0, "it works", 0.8)
    assert not any("probability" in question for question in asked), "what an option said is not asked"


def test_a_result_that_the_model_could_not_take_is_not_accepted(run: Any, accepted: Path, tmp_path: Path) -> None:
    """A go-dark test in whose markets the media show spend as usual."""
    folder = Path(shutil.copytree(accepted, tmp_path / "copy"))
    registry = Study.open(folder).registry
    never = {
        "experiment_id": "never",
        "treatment_geos": [GEOS[0]],
        "start_date": "2023-10-02",
        "end_date": "2023-10-29",
    }
    registry.register({**PLAN, **never, "assignment": None, "counterfactual_spend": 200.0}, by="Ada")
    registry.submit("never")
    registry.approve("never", by="Grace")
    registry.start("never")
    registry.complete("never", {"incidents": [], "spend_delta": -150.0})
    registry.analyse("never")
    head = Study.open(folder).head
    ended = run("experiments", "accept", "never", "-w", folder)
    assert (ended.code, "go_dark" in ended.err) == (2, True)
    assert Study.open(folder).head == head
    assert run("experiments", "show", "never", "-w", folder).code == 0
