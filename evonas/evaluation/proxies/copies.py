"""A network's copy to work on, and what all scores know of its layers."""

import copy
import math
from collections.abc import Callable

import torch
from torch import nn

from evonas.models.activations import ACTIVATIONS
from evonas.models.norms import NORMS
from evonas.tasks.task import Outputs, outputs_of

LossOf = Callable[[Outputs], torch.Tensor]  # what a network makes of the images, to its loss

ACTIVATION_TYPES = tuple({type(make(1)) for make in ACTIVATIONS.values()})
NORM_TYPES = tuple({type(make(1)) for make in NORMS.values()} - {nn.Identity})
WEIGHTED_TYPES = (nn.Conv2d, nn.Linear)


def working_copy(network: nn.Module) -> nn.Module:
    """A copy that normalises by the batch, as in training, and drops nothing."""
    worked = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    worked.requires_grad_(True)
    worked.zero_grad(set_to_none=True)
    worked.eval()
    for norm in (module for module in worked.modules() if isinstance(module, NORM_TYPES)):
        norm.train()
    assert isinstance(worked, nn.Module), "a copy is of the same kind"
    return worked


def weights(network: nn.Module) -> list[torch.Tensor]:
    """Those of convolutions and linear layers, without biases."""
    return [module.weight for module in network.modules() if isinstance(module, WEIGHTED_TYPES)]


def summed(given: torch.Tensor | Outputs) -> torch.Tensor:
    """The sum of all that a network gave."""
    return torch.stack([output.sum() for output in outputs_of(given)]).sum()


def safe_log(value: float) -> float:
    """The natural logarithm, between -708 (of 0 and below, and of NaN) and 709 (of infinity)."""
    tiny, huge = torch.finfo(torch.float64).tiny, torch.finfo(torch.float64).max
    return math.log(min(max(value, tiny), huge)) if value == value else math.log(tiny)
