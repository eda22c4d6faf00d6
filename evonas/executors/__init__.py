"""Where trials run. A new executor is a file here and a line below.

`ray` is imported only when its executor is opened.
"""

from collections.abc import Mapping

from evonas.executors.executor import Evaluate, Executor
from evonas.executors.inline_executor import InlineExecutor
from evonas.executors.local_executor import LocalExecutor
from evonas.executors.ray_executor import RayExecutor
from evonas.executors.virtual_executor import VirtualExecutor

EXECUTORS: Mapping[str, type[Executor]] = {
    "ray": RayExecutor,
    "local": LocalExecutor,
    "inline": InlineExecutor,
    "virtual": VirtualExecutor,
}

__all__ = ["EXECUTORS", "Evaluate", "Executor"]
