"""The study for language models: an MCP server over standard input and output, with the verbs of `Study` as tools.

Its tools read. Those that write exist only where whoever starts the server says so, with a role: an ``editor`` may
fit, attribute and reconcile; an ``approver`` may also decide about tests in question. Nothing is served to the network,
and no user's journey leaves the store: tools return what the command line prints with ``--json``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import ToolAnnotations

from measurement.errors import DataError, TheodoliteError, did_you_mean, shown
from measurement.typing import Json
from measurement.version import __version__
from theodolite.study import Study

if TYPE_CHECKING:
    from calibration import View

Role = Literal["viewer", "editor", "approver"]

INSTRUCTIONS = """\
Theodolite measures advertising: a marketing mix model, lift tests and attribution in one number per channel.
Begin with study_overview. Numbers come as median, low and high: a 90 % interval. Report the interval with each number.
iroas is incremental revenue over spend, mroas that of the next unit of money, attributed roas is no causal claim.
A number that is null was withheld; its state says why. Never fill it in. Where "converged" is false, say so."""
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
WRITES = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)


@dataclass(frozen=True)
class Tools:
    """The tools of one workspace. Every call opens the study anew, so that it sees what others wrote meanwhile.

    Attributes:
        folder: The workspace.
        actor: Who acts; written into the store's events.
    """

    folder: Path
    actor: str

    @property
    def study(self) -> Study:
        """The study as it is now."""
        return Study.open(self.folder, self.actor)

    def _view(self) -> "View":
        study = self.study
        study.fitted()  # refuses where the data have changed since
        found = study.last_view()
        if found is None:
            raise DataError("there is no unified view of the last fit yet: run `theodolite reconcile` first")
        return found

    # -- reading ------------------------------------------------------------------------------------------------------

    def study_overview(self) -> Json:
        """What the study is about and what there is: KPI, dates, markets, channels, how many tests, plans of record."""
        study = self.study
        panel, settings = study.panel, study.config.study
        return {
            "name": settings.name,
            "kpi": panel.kpi,
            "currency": panel.currency,
            "margin": settings.margin,
            "period": settings.period,
            "from": str(panel.dates[0])[:10],
            "to": str(panel.dates[-1])[:10],
            "periods": len(panel.dates),
            "markets": list(panel.geos),
            "channels": list(panel.channels),
            "experiments": len(study.experiments()),
            "plans_of_record": [plan.name for plan in study.plans.all()],
            "head": study.head,
        }

    def check_data(self) -> Json:
        """What is wrong with the data (error, warning) and what a model will find hard (note)."""
        fields = ("level", "code", "file", "line", "column", "message")
        return {"problems": [{name: getattr(problem, name) for name in fields} for problem in self.study.check()]}

    def unified_view(self) -> Json:
        """Per channel the unified iroas and what the mix model, the tests, attribution and the platforms each say."""
        return self._view().to_dict()

    def channel(self, name: str) -> Json:
        """One channel of the unified view, with every source and its advice."""
        view = self._view().to_dict()
        found = {each["channel"]: each for each in view["channels"]}
        if name not in found:
            raise DataError(f"there is no channel '{shown(name)}'{did_you_mean(name, found)}: {', '.join(found)}")
        return {"converged": view["converged"], **found[name]}

    def model_fit(self) -> Json:
        """The last fit of the mix model: iroas per channel with and without the tests, diagnostics, conflicts."""
        return self.study.fit_summary()

    def list_experiments(self) -> Json:
        """Every lift test of the study, in short."""
        fields = ("experiment_id", "channel", "method", "start_date", "end_date", "estimand", "estimate", "grade")
        records = [test.to_dict() for test in self.study.experiments()]
        return {"experiments": [{name: record.get(name) for name in fields} for record in records]}

    def experiment(self, experiment_id: str) -> Json:
        """One lift test: its record, and how its standard error is widened on the way into the model."""
        return self.study.experiment(experiment_id)

    def optimal_budget(self, total: float | None = None, periods: int | None = None) -> Json:
        """The best split of a budget over channels, with its expected gain and a proven bound. Nothing is stored.

        Args:
            total: Money for the whole plan; as much as was spent in as many periods otherwise.
            periods: How many periods are planned.
        """
        return self.study.budget(total, periods=periods).to_dict()

    def forecast(self, periods: int | None = None) -> Json:
        """The KPI of the next periods with spend as usual, with its interval. Nothing is stored."""
        return self.study.forecast(periods=periods).to_dict()

    def against_plan(self, name: str) -> Json:
        """What came in the data against a plan of record: what other spend explains, and what the model missed."""
        return self.study.plans.against(name).to_dict()

    def attribution(self) -> Json:
        """Credit per channel by each attribution model: who was present, not who caused."""
        found = self.study.attribution()
        if found is None:
            raise DataError("there is no attribution yet: run `theodolite attribution run` first")
        return found.to_dict()

    # -- writing ------------------------------------------------------------------------------------------------------

    def fit_model(self, seed: int = 0, warm: bool = False) -> Json:
        """Fit the mix model without and with the tests, and keep both. Takes from seconds to minutes.

        Args:
            seed: Seed of everything random.
            warm: Begin where the last fit of the same model ended.
        """
        study = self.study
        return study.fit_summary(study.fit(seed=seed, warm=warm))

    def run_attribution(self, seed: int = 0) -> Json:
        """Read the journeys, give credit by the default models, and keep it."""
        return self.study.attribute(seed=seed).to_dict()

    def reconcile(self, seed: int = 0) -> Json:
        """Bring model, tests and attribution together into one number per channel, and keep it."""
        return self.study.reconcile(seed=seed).to_dict()

    def resolve_conflict(self, experiment_id: str, keep: Literal["test", "model", "neither"], reason: str) -> Json:
        """Decide about a test that contradicts the model, as a recorded decision; only on a person's explicit word."""
        return self.study.resolve(experiment_id, keep=keep, reason=reason).to_dict()


READERS = (
    "study_overview", "check_data", "unified_view", "channel", "model_fit", "list_experiments", "experiment",
    "optimal_budget", "forecast", "against_plan", "attribution",
)  # fmt: skip
EDITORS = ("fit_model", "run_attribution", "reconcile")
APPROVERS = ("resolve_conflict",)


def server(folder: Path, role: Role = "viewer", actor: str = "mcp") -> MCPServer:
    """The server of a workspace.

    Args:
        folder: The workspace.
        role: ``viewer`` for reading only; what else may be done otherwise.
        actor: Who acts.

    Raises:
        DataError: When the folder is no workspace.
    """
    Study.open(folder, actor)  # before a client waits for an answer
    tools = Tools(folder, actor)
    made: MCPServer = MCPServer(
        "theodolite", title="Theodolite", instructions=INSTRUCTIONS, version=__version__, log_level="WARNING"
    )
    writers = {"viewer": (), "editor": EDITORS, "approver": (*EDITORS, *APPROVERS)}[role]
    for name in (*READERS, *writers):
        hints = READS if name in READERS else WRITES
        made.add_tool(_told(getattr(tools, name)), name=name, annotations=hints)
    return made


def serve(folder: Path, role: Role = "viewer", actor: str = "mcp") -> None:
    """Answer on standard input and output until the client goes away."""
    server(folder, role, actor).run("stdio")


def _told(verb: Callable[..., Json]) -> Callable[..., Json]:
    """The verb with an error that a user can mend as a tool's answer, in its own words."""

    @wraps(verb)
    def call(*arguments: object, **named: object) -> Json:
        try:
            return verb(*arguments, **named)
        except TheodoliteError as error:
            raise ToolError(str(error)) from None

    return call
