"""What is learnt from images: the table of tasks.

It loads without torch: who reads a run needs to know measures, and trains nothing.
"""

from collections.abc import Mapping

from evonas.networks.problem import Problem
from evonas.registry import pick
from evonas.tasks.classification import Classification
from evonas.tasks.task import Task

TASKS: Mapping[str, Task] = {
    "classification": Classification(),
}


def task_of(problem: Problem) -> Task:
    """The task that a problem is of.

    Raises:
        UnknownName: There is no such task.
    """
    return pick(TASKS, problem.task, "task")
