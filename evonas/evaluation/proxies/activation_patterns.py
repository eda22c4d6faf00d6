"""How differently a network's units respond to different images."""

import torch
from torch import Tensor, nn

from evonas.evaluation.proxies.copies import ACTIVATION_TYPES, LossOf, working_copy

RIDGE = 1e-6  # of the units


@torch.no_grad()
def naswot(network: nn.Module, images: Tensor, loss_of: LossOf) -> float:
    """The logarithm of |K|, where K counts the units that two images agree in: NASWOT.

    Mellor et al. 2021, arXiv 2006.04647v2, equations 1 and 2. A unit is an input of an
    activation, its code the sign: of ReLU whether it lets through. A millionth of the units is
    added to the diagonal: no difference where images are told apart, and finite where they are not.
    """
    kernel = torch.zeros(len(images), len(images), dtype=torch.float64)
    units = 0

    def note(module: nn.Module, given: tuple[Tensor, ...]) -> None:
        nonlocal units
        signs = (given[0] > 0).flatten(1).float() * 2 - 1
        kernel.add_((signs @ signs.T + signs.shape[1]) / 2)
        units += signs.shape[1]

    watched = working_copy(network)
    for module in watched.modules():
        if isinstance(module, ACTIVATION_TYPES):
            module.register_forward_pre_hook(note)
    watched(images)
    ridge = RIDGE * max(units, 1) * torch.eye(len(images), dtype=torch.float64)
    return float(torch.linalg.slogdet(kernel + ridge).logabsdet)
