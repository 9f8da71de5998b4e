"""The kinds of long work, as a worker process does them: each a verb of `Study`, and what it came to in a line."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from measurement.errors import DataError, Problem, did_you_mean, shown

if TYPE_CHECKING:
    from measurement.typing import Json
    from theodolite.study import Study

type Tell = Callable[[str, float | None], None]
"""Takes what is being done, and the share that is done where that is known."""


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a kind of work.

    Attributes:
        read: Makes its value of a JSON value or a form's text.
        default: Its value where it is not given.
    """

    read: Callable[[str, Any], Any]
    default: Any


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of work.

    Attributes:
        title: What it is called.
        run: Does it.
        options: Its settings by name.
    """

    title: str
    run: "Callable[[Study, Mapping[str, Any], Tell], Json]"
    options: Mapping[str, Option]


def settings_of(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a kind of work, read and with defaults.

    Raises:
        DataError: With everything that is wrong about them.
    """
    if kind not in KINDS:
        raise DataError(f"there is no work '{shown(kind)}'{did_you_mean(kind, KINDS)}; there are {', '.join(KINDS)}")
    options = KINDS[kind].options
    problems = [
        Problem(f"unknown setting{did_you_mean(name, options)}", column=name) for name in given if name not in options
    ]
    found: dict[str, Any] = {}
    for name, option in options.items():
        try:
            found[name] = option.read(name, given[name]) if given.get(name) not in (None, "") else option.default
        except DataError as error:
            problems += error.problems
    if problems:
        raise DataError(problems)
    return found


def _whole(least: int, most: int) -> Callable[[str, Any], int]:
    def read(name: str, given: Any) -> int:
        text = str(given).strip()
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None
        if isinstance(given, bool) or number is None or not least <= number <= most:
            raise DataError([Problem(f"found '{shown(given)}', expected a number from {least} to {most}", column=name)])
        return number

    return read


def _yes(name: str, given: Any) -> bool:
    if given in (True, "yes", "true"):
        return True
    if given in (False, "no", "false"):
        return False
    raise DataError([Problem(f"found '{shown(given)}', expected yes or no", column=name)])


def _fields(name: str, given: Any) -> dict[str, str]:
    if not isinstance(given, Mapping) or not all(isinstance(text, str) for text in given.values()):
        raise DataError([Problem("expected an object of texts", column=name)])
    return {str(key): text for key, text in given.items() if text.strip()}


def _one_of(*allowed: str) -> Callable[[str, Any], str]:
    def read(name: str, given: Any) -> str:
        if given not in allowed:
            near = did_you_mean(str(given), allowed)
            words = f"found '{shown(given)}'{near}; allowed are {', '.join(allowed)}"
            raise DataError([Problem(words, column=name)])
        return str(given)

    return read


JOBS = 1
"""Fits at a time: the pages want a core of their own."""
SEED = Option(_whole(0, 2**31 - 1), 0)


def _fit(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    chosen = {name: settings[name] for name in ("seed", "chains", "warmup", "draws", "warm")}
    fitted = study.fit(**chosen, progress=_steps(tell))
    if settings["reconcile"]:
        _reconcile(study, settings, tell)
    state = "converged" if fitted.converged else "did NOT converge"
    return {"words": f"The fit {state}.", "converged": fitted.converged}


def _reconcile(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    tell("bringing the sources together", None)
    view = study.reconcile(seed=settings["seed"])
    state = "" if view.converged else "; it did NOT converge, so take it as provisional"
    return {"words": f"The unified view was made{state}.", "converged": view.converged}


def _attribution(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    tell("crediting journeys by each model", None)
    made = study.attribute(seed=settings["seed"])
    if settings["reconcile"]:
        _reconcile(study, settings, tell)
    return {"words": f"Journeys were credited by {len(set(made.to_frame()['model']))} models."}


def _validate(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    made = study.validate(
        origins=settings["origins"], refits=settings["refits"], seed=settings["seed"], progress=_steps(tell)
    )
    return {"words": f"Verdict: {made.verdict}."}


def _backtest(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    asked = {name: settings[name] for name in ("horizon", "folds", "every", "seed")}
    made = study.backtest(**asked, jobs=JOBS, progress=_steps(tell))
    return {"words": made.verdict()[0]}


def _compare(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    from theodolite import comparing
    from theodolite.app.blocks import Part
    from theodolite.app.shell import sections
    from theodolite.report.compared import section

    extent = settings["extent"]
    made = study.compare(
        quick=extent == "quick", full=extent == "full", seed=settings["seed"], jobs=JOBS, progress=_steps(tell)
    )
    html = sections([Part.of(section(made, comparing.toml_of(made, study.config)))])
    return {"words": made.why()[0], "comparison": made.to_dict(), "html": html}


def _audit(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    tell("auditing the journeys", None)
    made = study.audit_journeys(seed=settings["seed"])
    grave = sum(finding.severity == "serious" for finding in made.findings)
    return {"words": f"The audit looked at {len(made.findings)} things; serious: {grave}."}


def _steps(tell: Tell) -> Callable[[Any], None]:
    """What takes the steps of a fit, and tells them."""

    def progress(step: Any) -> None:
        tell(step.phase, step.done / step.total if step.total else None)

    return progress


def _design(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    from theodolite import planning
    from theodolite.app.blocks import Part
    from theodolite.app.shell import sections
    from theodolite.report.experiment import compose

    goal = planning.goal_of(settings["goal"], study.config.aliases)
    pick = planning.Pick(settings["pick"], settings["start"] or None, settings["name"] or None)
    found = planning.dossier(
        study.panel,
        goal,
        planning.How(settings["method"]),
        pick,
        about=study.about,
        registry=study.registry,
        progress=lambda done, steps, what: tell(what, done / steps if steps else None),
    )
    records = [record.to_dict() for record in found.records]
    made = sections([Part.of(section) for section in compose(found).sections])
    return {"words": f"{found.name} is planned.", "records": records, "html": made}


def _next_tests(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    from theodolite.next_test_texts import asked_of

    found = study.next_test.rank(
        asked_of(settings["asked"]),
        progress=lambda done, steps, what: tell(what, done / steps if steps else None),
    )
    best = "none is worth its cost now" if found.best is None else f"the best is of {found.best.channel}"
    return {"words": f"{found.compared} tests were compared: {best}.", "converged": found.converged}


def _analyse(study: "Study", settings: Mapping[str, Any], tell: Tell) -> "Json":
    name = settings["experiment"]
    tell("analysing the test as it was planned", None)
    version = study.registry.analyse(name, seed=settings["seed"], reason=settings["reason"])
    grade = study.registry.grade(name)
    said = "" if grade is None else f", grade {grade.grade}"
    return {"words": f"{name}: result {version.number} is there{said}.", "experiment_id": name}


def _text(most: int = 200) -> Callable[[str, Any], str]:
    def read(name: str, given: Any) -> str:
        if not isinstance(given, str) or len(given) > most:
            words = f"found '{shown(given)}', expected a text of at most {most} characters"
            raise DataError([Problem(words, column=name)])
        return given.strip()

    return read


KINDS: dict[str, Kind] = {
    "fit": Kind(
        "Fit the model",
        _fit,
        {
            "seed": SEED,
            "chains": Option(_whole(1, 16), 4),
            "warmup": Option(_whole(50, 5_000), None),
            "draws": Option(_whole(100, 20_000), 500),
            "warm": Option(_yes, False),
            "reconcile": Option(_yes, True),
        },
    ),
    "reconcile": Kind("Bring the sources together", _reconcile, {"seed": SEED}),
    "attribution": Kind("Credit journeys", _attribution, {"seed": SEED, "reconcile": Option(_yes, False)}),
    "audit": Kind("Audit the journeys", _audit, {"seed": SEED}),
    "validate": Kind(
        "Judge the fit",
        _validate,
        {"origins": Option(_whole(1, 1_000), 26), "refits": Option(_whole(0, 1_000), 0), "seed": SEED},
    ),
    "backtest": Kind(
        "Predict the past",
        _backtest,
        {
            "horizon": Option(_whole(1, 1_000), None),
            "folds": Option(_whole(1, 100), None),
            "every": Option(_whole(1, 1_000), None),
            "seed": SEED,
        },
    ),
    "compare": Kind(
        "Compare models",
        _compare,
        {"extent": Option(_one_of("quick", "usual", "full"), "usual"), "seed": SEED},
    ),
    "analyse": Kind(
        "Analyse a test",
        _analyse,
        {"experiment": Option(_text(), ""), "reason": Option(_text(2_000), ""), "seed": SEED},
    ),
    "next_tests": Kind("Rank the tests to run next", _next_tests, {"asked": Option(_fields, {})}),
    "design": Kind(
        "Design a test",
        _design,
        {
            "goal": Option(_fields, {}),
            "method": Option(_text(), "geo"),
            "pick": Option(_whole(1, 100), 1),
            "start": Option(_text(), ""),
            "name": Option(_text(), ""),
        },
    ),
}
"""Every kind of work; the one place that knows them."""
