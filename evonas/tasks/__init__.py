"""What is learnt from images: the table of tasks.

It loads without torch: who reads a run needs to know measures, and trains nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.networks.problem import Problem
from evonas.registry import pick
from evonas.settings import TrainingSettings
from evonas.tasks.classification import Classification
from evonas.tasks.detection import Detection
from evonas.tasks.task import Task

TASKS: Mapping[str, Task] = {
    "classification": Classification(),
    "detection": Detection(),
}


def task_of(problem: Problem) -> Task:
    """The task that a problem is of.

    Raises:
        UnknownName: There is no such task.
    """
    return pick(TASKS, problem.task, "task")


def completed(training: TrainingSettings, task: Task) -> TrainingSettings:
    """The training settings with what the task's recipe has for those that nobody has set."""
    unset = task.recipe.keys() - training.model_fields_set
    return training.model_copy(update={key: task.recipe[key] for key in sorted(unset)})


def foreign_settings(name: str) -> Mapping[str, str]:
    """Training settings that have no meaning in a task, each with the reason in words."""
    own = TASKS[name].settings
    return {
        key: f"has no meaning in {name}: it is for {other}. Leave it out."
        for other, task in TASKS.items()
        for key in sorted(task.settings - own)
    }


def foreign(training: TrainingSettings, name: str) -> Iterator[str]:
    """What the settings ask for that has no meaning in a task, in words.

    Args:
        training: With what the task's recipe has for settings that nobody has set.
    """
    usual = TrainingSettings().model_copy(update=TASKS[name].recipe)
    for key, why in foreign_settings(name).items():
        value = getattr(training, key)
        if value != getattr(usual, key):
            yield f"training.{key}={value} {why}"


def test_scores(result: Mapping[str, Any]) -> list[str]:
    """Of a retraining's result what sentences tell, as `accuracy 0.9812`, the main one first."""
    titles = {name: own.title for task in TASKS.values() for name, own in task.measures.items()}
    return [
        f"{title} {result[f'test_{name}']:.4f}"
        for name, title in titles.items()
        if title and f"test_{name}" in result
    ]
