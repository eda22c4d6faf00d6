"""One trial to one outcome. `objectives` says what is measured, `evaluators` says how.

What reads a run needs the objectives alone: they load without torch.
"""

from typing import TYPE_CHECKING

from evonas.facade import lazily

if TYPE_CHECKING:
    from evonas.evaluation.evaluator import Evaluator
    from evonas.evaluation.evaluators import EVALUATORS
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

_HOMES = {
    "DERIVATIONS": "evonas.evaluation.objectives",
    "EVALUATORS": "evonas.evaluation.evaluators",
    "Evaluator": "evonas.evaluation.evaluator",
    "OBJECTIVES": "evonas.evaluation.objectives",
    "Objective": "evonas.evaluation.objectives",
    "PROXIES": "evonas.evaluation.proxies",
    "PythonEvaluator": "evonas.evaluation.python_evaluator",
    "TableEvaluator": "evonas.evaluation.table_evaluator",
    "TrainEvaluator": "evonas.evaluation.train_evaluator",
    "check_derived": "evonas.evaluation.objectives",
    "excess": "evonas.evaluation.objectives",
    "find_function": "evonas.evaluation.python_evaluator",
    "is_trained": "evonas.evaluation.objectives",
    "is_within": "evonas.evaluation.objectives",
    "measure_scale": "evonas.evaluation.objectives",
    "parse_objective": "evonas.evaluation.objectives",
    "recipe_of": "evonas.evaluation.train_evaluator",
    "taken_measures": "evonas.evaluation.objectives",
    "violations": "evonas.evaluation.objectives",
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

__getattr__ = lazily(__name__, _HOMES)
