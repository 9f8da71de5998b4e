"""The study for language models: what a client sees and may do, over the protocol itself."""

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from mcp import Client, StdioServerParameters

from theodolite import Study
from theodolite.mcp import server


def asked(folder: Path, *calls: tuple[str, dict[str, Any]], role: Any = "viewer") -> tuple[dict[str, Any], list[Any]]:
    """List the tools and call some, in one session."""

    async def session() -> tuple[dict[str, Any], list[Any]]:
        async with Client(server(folder, role, "a model")) as client:
            listed = await client.list_tools()
            answers = [await client.call_tool(name, arguments) for name, arguments in calls]
            return {tool.name: tool for tool in listed.tools}, answers

    return asyncio.run(session())


def said(answer: Any) -> Any:
    assert not answer.is_error, answer.content[0].text
    return json.loads(answer.content[0].text)


def test_a_viewer_gets_tools_that_only_read(workspace: Path) -> None:
    tools, _ = asked(workspace)
    assert {"study_overview", "unified_view", "optimal_budget", "experiment"} <= set(tools)
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    assert all(tool.description for tool in tools.values())
    editor, _ = asked(workspace, role="editor")
    assert set(editor) - set(tools) == {"fit_model", "run_attribution", "reconcile"}
    approver, _ = asked(workspace, role="approver")
    assert set(approver) - set(editor) == {"resolve_conflict"}


def test_answers_are_those_of_the_study_and_change_nothing(workspace: Path) -> None:
    study = Study.open(workspace)
    head = study.head
    _, (overview, fit, budget, forecast, tests) = asked(
        workspace, ("study_overview", {}), ("model_fit", {}), ("optimal_budget", {"periods": 4}),
        ("forecast", {"periods": 4}), ("list_experiments", {}),
    )  # fmt: skip
    assert said(overview)["channels"] == list(study.panel.channels)
    assert said(overview)["head"] == head
    assert said(fit)["channels"] == json.loads(json.dumps(study.fit_summary()["channels"]))
    assert not budget.is_error
    assert not forecast.is_error
    assert len(said(tests)["experiments"]) == len(study.experiments())
    assert Study.open(workspace).head == head


def test_numbers_of_other_data_are_not_told_as_those_of_today(workspace: Path) -> None:
    study = Study.open(workspace)
    study.reconcile()
    outcome = pd.read_csv(study.folder / study.config.data.outcome)
    outcome.loc[outcome.index[-1], study.config.study.kpi] *= 1.05
    outcome.to_csv(workspace / "changed.csv", index=False)
    toml = workspace / "theodolite.toml"
    _, (view, channel) = asked(workspace, ("unified_view", {}), ("channel", {"name": study.panel.channels[0]}))
    assert said(view)["channels"]
    assert said(channel)["channel"] == study.panel.channels[0]
    toml.write_text(toml.read_text("utf-8").replace(study.config.data.outcome, "changed.csv"), "utf-8")
    _, answers = asked(workspace, ("unified_view", {}), ("channel", {"name": study.panel.channels[0]}))
    for answer in answers:
        assert answer.is_error
        assert "changed since the last fit" in answer.content[0].text


def test_what_a_user_can_mend_is_an_answer_in_words(workspace: Path) -> None:
    _, (channel, plan, unknown) = asked(
        workspace,
        ("channel", {"name": "tvv"}),
        ("against_plan", {"name": "q4"}),
        ("experiment", {"experiment_id": "?"}),
    )
    for answer in (channel, plan, unknown):
        assert answer.is_error
        assert "Traceback" not in answer.content[0].text
    assert "no plan of record 'q4'" in plan.content[0].text


def test_a_viewer_cannot_write(workspace: Path) -> None:
    head = Study.open(workspace).head
    _, answers = asked(workspace, *((name, {}) for name in ("fit_model", "run_attribution", "reconcile")))
    for answer in answers:
        assert answer.is_error
        assert "Unknown tool" in answer.content[0].text
    assert Study.open(workspace).head == head


def test_the_command_speaks_the_protocol_on_standard_output(workspace: Path) -> None:
    async def session() -> Any:
        command = StdioServerParameters(command=sys.executable, args=["-m", "theodolite", "mcp", "-w", str(workspace)])
        async with Client(command) as client:
            return await client.call_tool("study_overview", {})

    assert said(asyncio.run(session()))["name"]


def test_a_wrong_role_or_folder_is_refused(run: Callable[..., Any], tmp_path: Path) -> None:
    for arguments, words in ((["--role", "king"], "viewer, editor or approver"), (["-w", tmp_path], "theodolite.toml")):
        ended = run("mcp", *arguments)
        assert ended.code == 2
        assert words in ended.err
