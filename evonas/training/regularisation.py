"""Heuristics that leave out some of a network while it trains: hooks around it, gone afterwards.

They act in training mode only and draw from torch's global generators. On a network without
what they act on, blocks that are skipped around for instance, they do nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from evonas.settings import TrainingSettings
from evonas.training.parts import classifier, has_role, residual_branch, units

Probability = float | torch.Tensor  # a tensor of one number where it changes over the training

# Operations that pass a state of a cell on as it is, or made to fit: NASNet and DARTS never drop
# them. `ActivationConvNorm` itself is one, operations made from it are not.


class Regularisation:
    """What acts on a network for the time; `at` tells it how far the training is."""

    def __init__(self, recipe: TrainingSettings) -> None:
        self.recipe = recipe
        self.share = torch.zeros(())
        self.draw: torch.Tensor | None = None

    def at(self, share_done: float) -> None:
        """Tells the share of the training that is done, 0..1; it matters with `ramp` only."""
        self.share.fill_(share_done)

    def ramped(self, probability: float, device: torch.device) -> Probability:
        """What there is of a probability now. Changed in place, so that a CUDA graph sees it."""
        if not self.recipe.ramp:
            return probability
        if self.share.device != device:
            self.share = self.share.to(device)
        return self.share * probability

    def one_draw(self, network: nn.Module, images: tuple[Any, ...]) -> None:
        """Draws, before a batch goes through the network, the number that all blocks share."""
        if network.training:
            self.draw = torch.rand((), device=images[0].device)


@contextmanager
def regularised(network: nn.Module, recipe: TrainingSettings) -> Iterator[Regularisation]:
    """Makes a network train with the recipe's regularisation for the time of the `with`.

    `dropout` acts before the last linear layer, `drop_connect` on the weights of all linear
    layers, `spatial_dropout` and `drop_block` on what blocks and cells give, `neck_drop_block` on
    what a detector's neck makes of maps of several levels, `drop_path` on blocks that are skipped
    around and on the operations of cells, other than identities.

    The probability of dropping a path grows linearly from the first block or cell to the last,
    which has `drop_path` (arXiv 1603.09382, eq. 4; NASNet, arXiv 1707.07012, section 4); what is
    kept is divided by the probability of keeping it. `local` draws for each sample and path.
    `global` draws one number u for a batch: a path of probability p is dropped for the whole batch
    if u < p. Blocks at the end are so dropped first and the batch runs through a network of one
    depth, as FractalNet's global drop path leaves one column (arXiv 1605.07648, section 3.1). The
    first operation of each node of a cell is then never dropped, so that something remains.
    A drop path of the network's own gives way to the recipe's.

    Afterwards the network is as before but for its weights; these keep their names throughout.
    """
    regularisation = Regularisation(recipe)
    own = [module for module in network.modules() if has_role(module, "drop_path")]
    before = [module.probability for module in own]
    handles = list(_hooks(network, recipe, regularisation))
    try:
        if recipe.drop_path:
            _set_own(own, [0.0] * len(own))
        yield regularisation
    finally:
        for handle in handles:
            handle.remove()
        _set_own(own, before)


def _set_own(modules: list[nn.Module], probabilities: list[Any]) -> None:
    for module, probability in zip(modules, probabilities, strict=True):
        module.probability = probability


def _hooks(
    network: nn.Module, recipe: TrainingSettings, regularisation: Regularisation
) -> Iterator[RemovableHandle]:
    layers = classifier(network)
    if recipe.dropout and layers:
        yield layers[-1].register_forward_pre_hook(partial(_dropout, recipe.dropout))
    if recipe.drop_connect:
        for linear in layers:
            if isinstance(linear, nn.Linear):
                yield linear.register_forward_hook(partial(_drop_connect, recipe.drop_connect))
    for unit in units(network):
        if recipe.spatial_dropout:
            yield unit.register_forward_hook(partial(_spatial_dropout, recipe.spatial_dropout))
        if recipe.drop_block:
            hook = partial(_drop_block, regularisation, recipe.drop_block)
            yield unit.register_forward_hook(hook)
    if recipe.neck_drop_block:
        hook = partial(_drop_block, regularisation, recipe.neck_drop_block)
        fusions = [module for module in network.modules() if has_role(module, "fusion")]
        yield from (fusion.register_forward_hook(hook) for fusion in fusions)
    if recipe.drop_path:
        yield from _path_hooks(network, recipe, regularisation)


def _path_hooks(
    network: nn.Module, recipe: TrainingSettings, regularisation: Regularisation
) -> Iterator[RemovableHandle]:
    is_global = recipe.drop_path_kind == "global"
    if is_global:
        yield network.register_forward_pre_hook(regularisation.one_draw)
    for path, depth in droppable(network, spare_first=is_global):
        drop = partial(_drop_path, regularisation, recipe.drop_path * depth)
        yield path.register_forward_hook(drop)


def droppable(network: nn.Module, spare_first: bool) -> Iterator[tuple[nn.Module, float]]:
    """Modules that can be left out, each with the depth of its block or cell, above 0 to 1.

    Args:
        spare_first: Without the first operation of each node of a cell.
    """
    for kinds in (("block", "residual"), ("cell",)):
        found = [unit for unit in units(network) if has_role(unit, *kinds)]
        for place, unit in enumerate(found, 1):
            for path in _paths(unit, spare_first):
                yield path, place / len(found)


def _paths(unit: Any, spare_first: bool) -> Iterator[nn.Module]:
    if not has_role(unit, "cell"):
        branch = residual_branch(unit)
        yield from [] if branch is None else [branch]
        return
    for node in unit.nodes:
        for operation in node.operations[1 if spare_first else 0 :]:
            if not has_role(operation, "passing"):
                yield operation


def _dropout(probability: float, layer: nn.Module, given: tuple[Any, ...]) -> Any:
    """Hook before a layer: some of its inputs are zero."""
    return functional.dropout(given[0], probability) if layer.training else None


def _drop_connect(
    probability: float, layer: nn.Linear, given: tuple[Any, ...], out: torch.Tensor
) -> torch.Tensor:
    """Hook behind a linear layer: computed with some of the weights (Wan et al. 2013, eq. 5).

    One mask serves a batch, where the paper draws one for each sample.
    """
    if not layer.training:
        return out
    weights = functional.dropout(layer.weight, probability)
    return functional.linear(given[0], weights, layer.bias)


def _spatial_dropout(
    probability: float, unit: nn.Module, given: tuple[Any, ...], maps: torch.Tensor
) -> torch.Tensor:
    """Hook behind a block: some channels of each sample are zero (arXiv 1411.4280)."""
    return functional.dropout2d(maps, probability) if unit.training else maps


def _drop_path(
    regularisation: Regularisation,
    probability: float,
    path: nn.Module,
    given: tuple[Any, ...],
    maps: torch.Tensor,
) -> torch.Tensor:
    """Hook behind a path: zeros for some samples, or for the whole batch."""
    if not path.training:
        return maps
    now = regularisation.ramped(probability, maps.device)
    draw = regularisation.draw
    if draw is None:
        draw = torch.rand(len(maps), 1, 1, 1, device=maps.device)
    return maps * ((draw >= now) / (1 - now)).to(maps.dtype)


def seed_rate(probability: Probability, block: int, height: int, width: int) -> Probability:
    """The probability gamma with which a point begins a dropped square (arXiv 1810.12890, eq. 1).

    So that, overlaps aside, `probability` of a map is dropped.

    >>> round(seed_rate(0.1, 7, 14, 14), 6), round(seed_rate(0.1, 7, 28, 28), 6)
    (0.00625, 0.003306)
    """
    beginnings = (height - block + 1) * (width - block + 1)
    return probability / block**2 * (height * width / beginnings)


def drop_block(maps: torch.Tensor, probability: Probability, block: int) -> torch.Tensor:
    """Blanks squares of a map and scales the rest up (arXiv 1810.12890, algorithm 1).

    (batch, channels, height, width) to the same; each channel of each sample has squares of its
    own.

    Args:
        probability: Of a point being dropped, about.
        block: Side of the squares in pixels; at most that of the map counts.
    """
    height, width = maps.shape[2:]
    block = min(block, height, width)
    beginnings = (*maps.shape[:2], height - block + 1, width - block + 1)
    draws = torch.rand(beginnings, device=maps.device)
    begun = (draws < seed_rate(probability, block, height, width)).to(maps.dtype)
    padded = functional.pad(begun, (block - 1,) * 4)
    kept = 1 - functional.max_pool2d(padded, block, stride=1)
    return maps * kept * (kept.numel() / kept.sum(dtype=torch.float32).clamp(min=1)).to(maps.dtype)


def _drop_block(
    regularisation: Regularisation,
    probability: float,
    unit: nn.Module,
    given: tuple[Any, ...],
    maps: torch.Tensor,
) -> torch.Tensor:
    """Hook behind a block, or what fuses maps."""
    if not unit.training:
        return maps
    now = regularisation.ramped(probability, maps.device)
    return drop_block(maps, now, regularisation.recipe.drop_block_size)
