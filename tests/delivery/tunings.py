"""Tunings whose trainings take no time."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from evonas.delivery.tuning.scored_training import ScoredTraining
from evonas.exporters.file_names import RECIPE
from evonas.settings import TrainingSettings

WORDS = [
    *("data.subset=200", "training.batch_size=20", "training.epochs=2"),
    *("budget.evaluations=6", "tune.seeds=1"),
]


def settings_of(folder: Path) -> dict[str, Any]:
    training: dict[str, Any] = yaml.safe_load((folder / RECIPE).read_text())["training"]
    return training


def trials_of(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Without the time that they took."""
    return [{k: v for k, v in each.items() if k != "seconds"} for each in result["trials"]]


def score_by(monkeypatch: pytest.MonkeyPatch, score: Any) -> list[tuple[TrainingSettings, int]]:
    """Trainings that take no time and have this score, from settings and seed; what was trained."""
    trained: list[tuple[TrainingSettings, int]] = []

    def scored(
        self: ScoredTraining, training: TrainingSettings, seed: int, is_hopeless: Any
    ) -> float:
        trained.append((training, seed))
        return float(score(training, seed))

    monkeypatch.setattr(ScoredTraining, "scored", scored)
    return trained
