"""What can be wrong with the training settings of a search, found before it begins."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from evonas.errors import SettingsError
from evonas.evaluation.kit import recipe_of
from evonas.hardware.runtimes import RUNTIMES
from evonas.models import build
from evonas.settings import Settings
from evonas.space.run_scales import run_scales
from evonas.space.search_space import SearchSpace
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
