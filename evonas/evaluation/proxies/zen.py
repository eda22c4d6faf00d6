"""How much a network can express: how far a small change of its input moves its maps."""

import torch
from torch import Tensor, nn

from evonas.evaluation.proxies.copies import NORM_TYPES, LossOf, safe_log, weights, working_copy

STEP = 0.01  # of the perturbation
SEED = 0  # of the input and the perturbation: the same for all networks


@torch.no_grad()
def zen(network: nn.Module, images: Tensor, loss_of: LossOf) -> float:
    """The Zen-score: log E ||f(x) - f(x + 0.01 e)|| + the sum of log sigma over the norms.

    Lin et al. 2021, arXiv 2102.01063, algorithm 1: f gives the maps before the last pooling, x and
    e are Gaussian, sigma^2 is the mean variance of what a norm is given. Weights are scaled to a
    deviation of 1. Unlike there, skip connections stay: without them, many cells give nothing.
    Of the images only the shape counts. About -708 where the maps do not move at all.
    """
    worked = working_copy(network)
    for weight in weights(worked):
        weight.div_(weight.square().mean().sqrt().clamp(min=1e-12))
    generator = torch.Generator().manual_seed(SEED)
    first, step = torch.randn(2, *images.shape, generator=generator)
    spreads = _Spreads(worked)
    before = spreads.last_maps(first)
    log_spread = sum(safe_log(variance) / 2 for variance in spreads.variances)
    moved = (spreads.last_maps(first + STEP * step) - before).flatten(1).norm(dim=1)
    return safe_log(float(moved.double().mean())) + log_spread


class _Spreads:
    """Watches a network: the variances that its norms are given, and its last maps."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.variances: list[float] = []
        self._maps = torch.empty(0)
        for module in network.modules():
            if isinstance(module, NORM_TYPES):
                module.register_forward_pre_hook(self._note_variance)
            if not list(module.children()):
                module.register_forward_hook(self._note_maps)

    def last_maps(self, images: Tensor) -> Tensor:
        """What the last layer with maps gives: (batch, channels, height, width)."""
        self.variances = []
        self.network(images)
        return self._maps

    def _note_variance(self, module: nn.Module, given: tuple[Tensor, ...]) -> None:
        epsilon = float(getattr(module, "eps", 0.0))
        self.variances.append(float(given[0].var((0, 2, 3), correction=0).mean()) + epsilon)

    def _note_maps(self, module: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> None:
        if out.dim() == 4:
            self._maps = out
