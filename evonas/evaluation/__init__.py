"""One trial to one outcome. `objectives` says what is measured, evaluators say how."""

from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.objectives import (
    DERIVATIONS,
    OBJECTIVES,
    Objective,
    check_derived,
    excess,
    is_trained,
    is_within,
    measure_scale,
    parse_objective,
    taken_measures,
    violations,
)
from evonas.evaluation.proxies import PROXIES
from evonas.evaluation.python_evaluator import PythonEvaluator, find_function
from evonas.evaluation.table_evaluator import TableEvaluator
from evonas.evaluation.train_evaluator import TrainEvaluator, recipe_of

EVALUATORS = {
    "train": TrainEvaluator,
    "python": PythonEvaluator,
    "table": TableEvaluator,
}

__all__ = [
    "DERIVATIONS",
    "EVALUATORS",
    "OBJECTIVES",
    "PROXIES",
    "Evaluator",
    "Objective",
    "PythonEvaluator",
    "TableEvaluator",
    "TrainEvaluator",
    "check_derived",
    "excess",
    "find_function",
    "is_trained",
    "is_within",
    "measure_scale",
    "parse_objective",
    "recipe_of",
    "taken_measures",
    "violations",
]
