"""What a short training tells of a whole one, and what beginning anew on the last rung is worth.

Random designs, each trained on all rungs: on the lower ones from the weights of the rung below, on
the last one anew and once more from these weights (`fidelity.whole=true` and `false`). For each
lower rung `accuracy` and `loss` (the sum of the training losses) are Spearman correlations with the
accuracy of the last one. `gain_of_whole` is that accuracy less the one from the weights of the rung
below, its mean over designs and the error of that.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray
from record import report
from scipy.stats import spearmanr
from trainings import checked, side_by_side, training_parser, words_of

from evonas.driver.preparation import set_up
from evonas.evaluation.train_evaluator import TrainEvaluator
from evonas.executors.executor import run_trial
from evonas.trial import Assignment, KeptWeights, Outcome, Trial


@dataclass(frozen=True)
class Task:
    """All trainings of the design with this number."""

    words: tuple[str, ...]
    design: int


def main() -> None:
    words = training_parser(__doc__, 10000, "space=mobile_cells")
    words.add_argument("--rungs", default="1,3,9", help="epochs (%(default)s)")
    words.add_argument("--designs", type=int, default=16, help="random ones (%(default)s)")
    given = words.parse_args()
    own = words_of(given, f"fidelity.rungs={given.rungs}", "fidelity.whole=true")
    made = side_by_side(trained, [Task(own, design) for design in range(given.designs)], given)
    *lower, whole, chained = (list(rung) for rung in zip(*made, strict=True))
    gains = accuracies(whole) - accuracies(chained)
    result: dict[str, Any] = {
        f"rung_{rung}": told(outcomes, accuracies(whole)) for rung, outcomes in enumerate(lower)
    }
    result["accuracy"] = accuracies(whole).round(4).tolist()
    result["gain_of_whole"] = round(float(gains.mean()), 4)
    result["error_of_gain"] = round(float(gains.std(ddof=1) / np.sqrt(len(gains))), 4)
    report(given, result | {"designs": given.designs, "subset": given.subset})


def trained(task: Task) -> list[Outcome]:
    """By rung; the last rung twice, begun anew and gone on with."""
    parts = checked(task.words)
    chromosome = parts.space.sample(np.random.default_rng(task.design))
    with TemporaryDirectory() as folder:
        setup = set_up(parts, Path(folder), parts.facts)
        assert isinstance(setup.evaluator, TrainEvaluator), "these words ask for trainings"
        trial = Trial(0, chromosome, setup.space.decode(chromosome), seed=task.design)
        given = Assignment(trial)
        outcomes = [run_trial(setup.evaluator, given)]
        for rung in range(1, len(setup.settings.fidelity.rungs)):
            promoted = replace(trial, number=rung, rung=rung, continues=rung - 1)
            given = Assignment(promoted, beginning=KeptWeights(rung - 1, trial.blueprint))
            outcomes.append(run_trial(setup.evaluator, given))
        fidelity = setup.settings.fidelity.model_copy(update={"whole": False})
        settings = setup.settings.model_copy(update={"fidelity": fidelity})
        outcomes.append(run_trial(replace(setup.evaluator, settings=settings), given))
    return outcomes


def told(short: list[Outcome], whole: NDArray[np.float64]) -> dict[str, float]:
    """How well trainings of one rung rank the designs; 0.0 accuracy is of one that failed."""
    losses = [own.details.get("loss_sum", np.inf) for own in short]
    return {
        "accuracy": round(float(spearmanr(accuracies(short), whole).statistic), 4),
        "loss": round(-float(spearmanr(losses, whole).statistic), 4),
    }


def accuracies(outcomes: list[Outcome]) -> NDArray[np.float64]:
    return np.array([own.measures.get("accuracy", 0.0) for own in outcomes])


if __name__ == "__main__":
    main()
