"""What can be wrong with the training settings of a search, found before it begins."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from evonas.data.dataset import Dataset
from evonas.errors import DataError, SettingsError
from evonas.evaluation.kit import recipe_of
from evonas.evaluation.objectives import Objective, taken_measures
from evonas.hardware.runtimes import RUNTIMES
from evonas.models import build
from evonas.settings import Settings
from evonas.space.run_scales import run_scales
from evonas.space.search_space import SearchSpace
from evonas.tasks import TASKS, task_of
from evonas.training.logs import opened_logs
from evonas.training.transfer import prepare

DESIGNS = 8  # that weights and freezing are tried on
TRANSFER = {"weights", "freeze"}


def check_recipe_settings(settings: Settings) -> Iterator[str]:
    """What asks for something that a search does not have here, in words."""
    own = settings.training
    if not settings.evaluator.trains:
        return
    is_on_gpu = settings.executor.gpus_per_trial != 0
    if own.cuda_graphs and not is_on_gpu:
        yield (
            "training.cuda_graphs=true has no effect where trials train on the processor. Leave "
            "it out, or add executor.gpus_per_trial=1."
        )
    compiler = RUNTIMES["torch-inductor"].lack() if own.compile and not is_on_gpu else None
    if compiler is not None:
        yield f"training.compile=true: {compiler}, or leave it out."
    if own.log:
        try:
            with TemporaryDirectory() as folder, opened_logs(own.log, Path(folder), 0):
                pass
        except SettingsError as error:
            yield from error.problems


def check_task(settings: Settings, objectives: Iterable[Objective], data: Dataset) -> None:
    """Raises a SettingsError or DataError if the data's task cannot give what is asked for."""
    problem = data.problem
    task = task_of(problem)
    wrong = [text for part in data.parts for text in task.wrong(part.targets, problem)]
    if wrong:
        raise DataError(list(dict.fromkeys(wrong)))
    uninformative = task.uninformative(problem)
    of_others = {name for other in TASKS.values() for name in other.measures} - {*task.measures}
    problems = []
    for name in taken_measures(settings, objectives):
        if name in of_others:
            problems.append(
                f"data={settings.data.name} is for {problem.task}, which has no {name}. Its "
                f"measures: {', '.join(task.measures)}."
            )
        elif name in uninformative:
            problems.append(uninformative[name])
    if problems:
        raise SettingsError(problems)
    if settings.data.class_weights == "balanced":
        task.class_weights(data.train.targets, problem)


def check_transfer(settings: Settings, space: SearchSpace) -> None:
    """Raises a SettingsError if no design can begin with the weights, or is trained if frozen so.

    A few designs are tried; one that can is enough, since designs differ.
    """
    training = settings.training
    is_asked = (
        training.weights is not None or training.freeze or TRANSFER & {*space.template["training"]}
    )
    if not settings.evaluator.trains or not space.has_network or not is_asked:
        return
    scale, _ = run_scales(space, settings, None)
    rng = np.random.default_rng(0)
    problem: SettingsError | None = None
    for _ in range(DESIGNS):
        blueprint = space.decode(space.sample(rng))
        try:
            prepare(build(blueprint, scale, seed=0), recipe_of(training, blueprint))
            return
        except SettingsError as error:
            problem = problem or error
    assert problem is not None, "each design was tried"
    raise problem
