"""How much each weight of a trained network matters."""

import copy
from collections.abc import Callable, Mapping

import torch

from evonas.compression.step import StepKit
from evonas.models.network import Network
from evonas.tasks import task_of
from evonas.tasks.normalisation import normalised
from evonas.tasks.task import outputs_of
from evonas.training import batch_size

Scores = dict[str, torch.Tensor]  # in the shapes of the parameters of these names, on the processor


def l2(network: Network, kit: StepKit) -> Scores:
    """Squares: their sum ranks as the L2 norm does."""
    return {name: tensor.detach().cpu().square() for name, tensor in network.named_parameters()}


def l1(network: Network, kit: StepKit) -> Scores:
    """Magnitudes (Li et al., arXiv 1608.08710, section 3.1)."""
    return {name: tensor.detach().cpu().abs() for name, tensor in network.named_parameters()}


def taylor(network: Network, kit: StepKit) -> Scores:
    """|weight x gradient|: how the loss of a batch would change, to first order.

    Molchanov et al., arXiv 1906.10771, equation 8, with magnitudes in place of squares.
    """
    images, targets = _batch(kit)
    network = copy.deepcopy(network).requires_grad_(True).to(kit.device).eval()
    weights = dict(network.named_parameters())
    outputs = tuple(output.float() for output in outputs_of(network(images)))
    loss = task_of(kit.problem).loss(outputs, targets, kit.recipe)
    gradients = torch.autograd.grad(loss, list(weights.values()), allow_unused=True)
    pairs = zip(weights.items(), gradients, strict=True)
    return {
        name: (torch.zeros_like(tensor) if slope is None else tensor.detach() * slope).abs().cpu()
        for (name, tensor), slope in pairs
    }


def _batch(kit: StepKit) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of the training, normalised, and their targets."""
    order = torch.randperm(len(kit.images), generator=torch.Generator().manual_seed(kit.seed))
    chosen = order[: batch_size(kit.recipe, len(kit.images))].numpy()
    images = torch.from_numpy(kit.images.images[chosen]).to(kit.device)
    targets = torch.from_numpy(kit.images.targets[chosen]).to(kit.device)
    return normalised(images, kit.problem), targets


IMPORTANCE: Mapping[str, Callable[[Network, StepKit], Scores]] = {
    "l2": l2,
    "l1": l1,
    "taylor": taylor,
}
