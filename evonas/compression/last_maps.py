"""The last maps of a network before its head, as they pass by."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from evonas.errors import BuildError
from evonas.training.parts import is_detector, parts

PRIORS = "priors"  # the part of a detector that reads the maps of all its levels

Maps = list[torch.Tensor]  # (batch, channels, height, width): one, or of a detector one a level


@contextmanager
def last_maps(network: nn.Module, image: torch.Tensor) -> Iterator[Maps]:
    """A list that holds, after each pass through the network, the last maps of that pass.

    In the beginning, those of the image.

    Args:
        image: As the network gets it, (1, channels, height, width).

    Raises:
        BuildError: The network makes no maps.
    """
    maps, images = Maps(), Maps()

    def begin(_: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        images[:] = given

    def note(seen: tuple[torch.Tensor, ...]) -> None:
        maps[:] = [each for each in seen if all(each is not image for image in images)]

    handles = [network.register_forward_pre_hook(begin)]
    if is_detector(network):
        reader = network.get_submodule(PRIORS)
        handles.append(reader.register_forward_pre_hook(lambda _, seen: note(seen)))
    else:
        part = _last_part(network, image)
        handles.append(part.register_forward_hook(lambda _, given, seen: note((seen,))))
    try:
        passed(network, image)
        yield maps
    finally:
        for handle in handles:
            handle.remove()


def _last_part(network: nn.Module, image: torch.Tensor) -> nn.Module:
    """The last part that gives maps."""
    seen: list[nn.Module] = []

    def look(part: nn.Module, given: tuple[Any, ...], made: Any) -> None:
        if made.dim() == 4:
            seen.append(part)

    handles = [part.register_forward_hook(look) for _, part in parts(network)]
    passed(network, image)
    for handle in handles:
        handle.remove()
    if not seen:
        raise BuildError(
            "compression.distillation.method=features: a network without maps has none to learn. "
            "Write method=logits."
        )
    return seen[-1]


@torch.no_grad()
def passed(network: nn.Module, image: torch.Tensor) -> Any:
    """What a network gives for an image in evaluation mode; it is left as it was."""
    was_training = network.training
    outputs = network.eval()(image)
    network.train(was_training)
    return outputs
