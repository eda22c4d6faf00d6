"""Evaluators by name. A new one is a file and a line below."""

from collections.abc import Mapping

from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.python_evaluator import PythonEvaluator
from evonas.evaluation.table_evaluator import TableEvaluator
from evonas.evaluation.train_evaluator import TrainEvaluator

EVALUATORS: Mapping[str, type[Evaluator]] = {
    "train": TrainEvaluator,
    "python": PythonEvaluator,
    "table": TableEvaluator,
}
