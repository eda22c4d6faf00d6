"""What is learnt from images: the table of tasks.

It loads without torch: who reads a run needs to know measures, and trains nothing.
"""

from collections.abc import Mapping
from typing import Any

from evonas.networks.problem import Problem
from evonas.registry import pick
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


def test_scores(result: Mapping[str, Any]) -> list[str]:
    """Of a retraining's result what sentences tell, as `accuracy 0.9812`, the main one first."""
    titles = {name: own.title for task in TASKS.values() for name, own in task.measures.items()}
    return [
        f"{title} {result[f'test_{name}']:.4f}"
        for name, title in titles.items()
        if title and f"test_{name}" in result
    ]
