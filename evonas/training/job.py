"""How a training begins and which numbers it computes in, for a trial and a retraining alike."""

from collections.abc import Collection

import torch
from torch import nn

from evonas.data.dataset import Split
from evonas.models.initialise import initialise
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks.normalisation import normalised
from evonas.training.batches import batch_size
from evonas.training.precision import probe
from evonas.training.transfer import Transfer, prepare


def begin(
    network: nn.Module,
    recipe: TrainingSettings,
    seed: int,
    designed: str | None,
    fresh: Collection[str] = (),
) -> Transfer:
    """Puts in fresh weights, and over them those of the recipe's file: what it had for them.

    Args:
        designed: The scheme of initialisation that the design names; the recipe's goes first.
        fresh: Tensors that the file does not set.

    Raises:
        SettingsError: The file cannot be used, or nothing is left to be trained.
    """
    initialise(network, seed, recipe.initialisation or designed)
    return prepare(network, recipe, seed, fresh)


def gains_from_bfloat16(
    network: nn.Module,
    recipe: TrainingSettings,
    images: Split,
    problem: Problem,
    device: torch.device,
) -> bool:
    """Whether training is clearly faster in bfloat16, timed on a first batch."""
    batch = torch.from_numpy(images.images[: batch_size(recipe, len(images))])
    return probe(network, normalised(batch, problem), device)
