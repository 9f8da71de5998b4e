"""The committed study of effects that change keeps its promises, and a world of it is what it says."""

from collections.abc import Callable
from types import ModuleType

import numpy as np


def test_a_varying_model_covers_what_drifts_and_costs_little_where_nothing_does(
    study_table: Callable[[str], list[dict[str, str]]],
) -> None:
    lines = {(line["effects"], line["varies"], line["of"]): line for line in study_table("variation")}
    recent = "last 26 weeks"
    for kind in ("constant", "drifting"):
        for of in (recent, "iROAS"):
            assert float(lines[kind, "slow", of]["covered"]) >= 0.86
            assert abs(float(lines[kind, "slow", of]["bias"])) < 0.1
    assert (
        float(lines["drifting", "no", recent]["covered"]) < float(lines["drifting", "slow", recent]["covered"]) - 0.05
    )
    for of, most in ((recent, 1.25), ("iROAS", 1.1)):
        assert float(lines["constant", "slow", of]["width"]) < most * float(lines["constant", "no", of]["width"])


def test_the_worlds_drift_as_they_say(study_module: Callable[[str], ModuleType]) -> None:
    study = study_module("study_variation")
    moved = []
    for kind in ("constant", "drifting"):
        ratios = []
        for seed in range(60):
            panel, effect = study.world_of(kind, seed)
            assert panel.outcome.shape == (1, study.WEEKS)
            per = effect.reshape(-1, 26, study.CHANNELS).sum(1) / panel.spend[0].reshape(-1, 26, study.CHANNELS).sum(1)
            ratios.append(np.log(per[-1] / per[0]))
        moved.append(np.std(ratios))
    assert moved[1] ** 2 - moved[0] ** 2 > 0.5 * 2 * study.DRIFT**2 * 0.8  # two years apart
