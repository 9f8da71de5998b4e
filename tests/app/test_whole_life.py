"""A test's whole life through the API: registered, approved, run, analysed on the study's own data, then evidence."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from theodolite.study import Study
from theodolite.workspace import Settings, initialise

GEOS = [f"town {i:02d}" for i in range(16)]
PLAN = {
    "experiment_id": "tv-2024",
    "channel": "tv",
    "method": "go_dark",
    "treatment_geos": GEOS[2:4],
    "control_geos": GEOS[6:],
    "start_date": "2024-01-15",
    "end_date": "2024-02-11",
    "kpi": "revenue",
    "assignment": {"rule": "uniform", "seed": 1, "eligible": [*GEOS[2:4], *GEOS[6:]]},
}
V = "/api/v1/experiments/tv-2024"


def company(folder: Path) -> Study:
    """16 towns over 60 weeks; TV was off in two of them for four weeks, and sales fell by a tenth."""
    rng, weeks = np.random.default_rng(6), np.datetime64("2023-01-02") + 7 * np.arange(60)
    common = 1 + 0.05 * rng.normal(size=60)
    off = (weeks >= np.datetime64("2024-01-15")) & (weeks <= np.datetime64("2024-02-11"))
    sold, spent = ["date,geo,revenue"], ["date,geo,channel,spend"]
    for i, geo in enumerate(GEOS):
        dark = off & (geo in PLAN["treatment_geos"])
        sales = 1000 * (1 + i / 5) * common * (1 + 0.01 * rng.normal(size=60)) * np.where(dark, 0.9, 1.0)
        sold += [f"{week},{geo},{value:.2f}" for week, value in zip(weeks, sales, strict=True)]
        money = np.where(dark, 0.0, 40 * (1 + i / 5))
        spent += [f"{week},{geo},tv,{value:.2f}" for week, value in zip(weeks, money, strict=True)]
    folder.mkdir()
    for name, lines in (("outcome.csv", sold), ("media.csv", spent)):
        (folder / name).write_text("\n".join(lines) + "\n")
    named = Settings("acme", "revenue", None, 0.5, "EUR")
    initialise(folder, str(folder / "media.csv"), str(folder / "outcome.csv"), None, {}, named)
    return Study.open(folder)


def test_a_test_becomes_evidence_step_by_step(tmp_path: Path, client_of: Callable[..., Any]) -> None:
    study = company(tmp_path / "acme")
    study.registry.register(PLAN, by="Ada")
    client = client_of(study.folder)
    steps = {
        "submit": ({}, "in_review"),
        "approve": ({"reason": "sound"}, "approved"),
        "start": ({}, "running"),
        "complete": ({"incidents": ["a strike in one town"]}, "completed"),
        "analyse": ({}, "analysed"),
        "accept": ({}, "accepted"),
    }
    for step, (said, state) in steps.items():
        answer = client.post(f"{V}/{step}", json=said)
        assert answer.status_code == 200, (step, answer.text)
        assert answer.json()["state"] == state
    told = client.get(V).json()
    assert told["record"]["estimate"] < 0, "sales fell where TV was off"
    assert told["record"]["spend_delta"] < 0
    assert [test.experiment_id for test in Study.open(study.folder).experiments()] == ["tv-2024"]
    events = [event.kind for event in study.store.events(subject="tv-2024")]
    words = ("registered", "submitted", "approved", "started", "completed", "analysed", "accepted")
    assert events == [f"experiment.{word}" for word in words]
