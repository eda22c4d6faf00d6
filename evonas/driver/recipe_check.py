"""What can be wrong with the training settings of a search, found before it begins."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from evonas.errors import SettingsError
from evonas.evaluation.kit import recipe_of
from evonas.hardware.runtimes import RUNTIMES
from evonas.models import build
from evonas.settings import Settings, TuneSettings
from evonas.space.run_scales import run_scales
from evonas.space.search_space import SearchSpace
from evonas.training.logs import opened_logs
from evonas.training.transfer import Transfer, prepare

DESIGNS = 8  # that weights and freezing are tried on
TRANSFER = {"weights", "freeze"}


def check_recipe_settings(settings: Settings) -> Iterator[str]:
    """What asks for something that a search does not have here, in words."""
    own = settings.training
    if settings.tune != TuneSettings():
        yield "tune.*: a search does not tune. Leave it out here; evonas tune DIR takes it."
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
    if own.flip_test:
        yield (
            "training.flip_test=true: scores of a search are of one pass through a network, as its "
            "latency is. Leave it out here; evonas retrain DIR training.flip_test=true takes it."
        )
    if own.batch_norm == "synced":
        yield (
            "training.batch_norm=synced takes statistics over the processes of a torch process "
            "group, and a trial is one process. Write training.batch_norm=cross_mini_batch with "
            "training.subdivisions above 1, or leave it out."
        )
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
    problems = list[SettingsError]()
    for tried in _beginnings(settings, space):
        if isinstance(tried, Transfer):
            return
        problems.append(tried)
    raise problems[0]


def transfer_lines(settings: Settings, space: SearchSpace) -> Iterator[str]:
    """How much of the file of weights designs begin with, in a line."""
    is_begun = settings.training.weights is not None and space.has_network
    if not settings.evaluator.trains or not is_begun:
        return
    taken = [tried for tried in _beginnings(settings, space) if isinstance(tried, Transfer)]
    most = max(taken, key=lambda transfer: len(transfer.taken))
    yield (
        f"{settings.training.weights}: {len(taken)} of {DESIGNS} designs, drawn at random, begin "
        f"with weights of it. Most are in one of these: {most}."
    )


def _beginnings(settings: Settings, space: SearchSpace) -> Iterator[Transfer | SettingsError]:
    """What a few designs begin with, or why they cannot."""
    scale, _ = run_scales(space, settings, None)
    rng = np.random.default_rng(0)
    for _ in range(DESIGNS):
        blueprint = space.decode(space.sample(rng))
        try:
            yield prepare(build(blueprint, scale, seed=0), recipe_of(settings.training, blueprint))
        except SettingsError as error:
            yield error
