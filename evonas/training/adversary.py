"""Self-adversarial training: a network attacks its own images before it learns from them."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import task_of
from evonas.tasks.task import outputs_of
from evonas.training.accumulation import cut
from evonas.training.precision import autocast


class Adversary:
    """Changes some batches so that the network no longer sees in them what is there.

    YOLOv4 (arXiv 2004.10934, section 3.3): in a first pass the image is altered and not the
    weights, in a second one the network learns from the altered image. Each pixel moves by
    `self_adversarial_step` in the direction of the gradient's sign (arXiv 1412.6572, section 4), of
    what the task calls `deception`. In the first pass the network is in evaluation mode: nothing is
    dropped, and norms keep their statistics.
    """

    def __init__(
        self, network: nn.Module, problem: Problem, recipe: TrainingSettings, bfloat16: bool
    ) -> None:
        self.network = network
        self.problem = problem
        self.recipe = recipe
        self.bfloat16 = bfloat16

    def changed(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """The images of a batch, attacked with the recipe's probability.

        Without that, torch's generator is left alone.

        Args:
            images: Normalised (batch, channels, height, width).
            targets: As the loss takes them.
        """
        share = self.recipe.self_adversarial
        if not share or torch.rand(()).item() >= share:
            return images
        parts = cut(images, targets, self.recipe.subdivisions)
        with evaluated(self.network):
            return torch.cat([self._attacked(*part) for part in parts])

    def _attacked(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        images = images.detach().requires_grad_()
        with autocast(images.device, self.bfloat16):
            outputs = outputs_of(self.network(images))
        outputs = tuple(output.float() for output in outputs)
        deception = task_of(self.problem).deception(outputs, targets, self.recipe)
        (gradient,) = torch.autograd.grad(deception, images)
        mean, deviation = (
            torch.tensor(values, device=images.device)[:, None, None]
            for values in (self.problem.mean, self.problem.deviation)
        )
        step = self.recipe.self_adversarial_step / deviation
        black, white = -mean / deviation, (1 - mean) / deviation
        return (images.detach() + step * gradient.sign()).clamp(black, white)


@contextmanager
def evaluated(network: nn.Module) -> Iterator[None]:
    """The network is in evaluation mode in the block; afterwards each module is as it was."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
