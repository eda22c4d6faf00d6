"""A second classifier in the depth of a network, for the time of a training."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from evonas.models import initialise
from evonas.settings import TrainingSettings
from evonas.training.parts import parts, units

PREFIX = "auxiliary."
CHANNELS = 128  # of the 1x1 convolution (arXiv 1409.4842, section 5)
SIDE = 2  # pixels of the pooled maps


class AuxiliaryHead(nn.Sequential):
    """Activation, pooling, 1x1 convolution with norm and activation, linear layer.

    (batch, in_channels, h, w) to logits (batch, classes). GoogLeNet's (arXiv 1409.4842,
    section 5) as NASNet's code has it, but for pooling to 2x2 pixels whatever the size of the
    maps, as trainings may change it, and for one linear layer.
    """

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(SIDE),
            nn.Conv2d(in_channels, CHANNELS, 1, bias=False),
            nn.BatchNorm2d(CHANNELS),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(CHANNELS * SIDE**2, classes),
        )


class Auxiliary:
    """Listens to a network and weighs what its head makes of the maps.

    Args:
        weight: Of its loss, added to the network's.
    """

    def __init__(self, head: nn.Module, weight: float) -> None:
        self.head = head
        self.weight = weight
        self.logits: torch.Tensor | None = None

    def listen(self, unit: nn.Module, given: tuple[Any, ...], maps: torch.Tensor) -> None:
        """Hook behind the block whose maps the head sees, for passes that gradients go back."""
        if maps.requires_grad:
            self.logits = self.head(maps)

    def loss(self, targets: torch.Tensor, label_smoothing: float) -> torch.Tensor:
        """What the pass that was just made adds to the loss."""
        assert self.logits is not None, "the network has not been run with gradients"
        logits, self.logits = self.logits.float(), None
        return self.weight * functional.cross_entropy(
            logits, targets, label_smoothing=label_smoothing
        )

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """The head's weights and buffers, by names of their own."""
        return {PREFIX + name: tensor for name, tensor in self.head.state_dict().items()}


@contextmanager
def attached(
    network: nn.Module,
    recipe: TrainingSettings,
    image: torch.Tensor,
    seed: int,
    state: dict[str, torch.Tensor],
) -> Iterator[Auxiliary | None]:
    """Puts a head behind the block or cell at two thirds of the depth, if the recipe asks for it.

    In NASNet that is the last cell before the second reduction (slim's code); networks of
    neither blocks nor cells have it behind the part at two thirds. What gives no maps does not
    count. There is no such head where it would teach nothing: in a network without maps, or
    behind what is frozen. The network itself stays as it is, so its weights are those of one
    without.

    Args:
        image: One as the network gets them, (1, channels, height, width).
        state: What `Auxiliary.state` gave where the training was left.
    """
    if not recipe.auxiliary:
        yield None
        return
    found = units(network) or [part for _, part in parts(network)[:-1]]
    seen, classes = _maps(network, found, image)
    places = list(seen)
    place = places[max(0, round(len(places) * 2 / 3) - 1)] if places else None
    if place is None or not seen[place].requires_grad:
        yield None
        return
    with torch.device("meta"):  # draws nothing from torch's own generator
        head = AuxiliaryHead(seen[place].shape[1], classes)
    head.to_empty(device="cpu")
    initialise(head, seed, recipe.initialisation)
    head.load_state_dict({**head.state_dict(), **_own(state)})
    auxiliary = Auxiliary(head.to(image.device).train(), recipe.auxiliary)
    handle = place.register_forward_hook(auxiliary.listen)
    try:
        yield auxiliary
    finally:
        handle.remove()


def _own(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {n.removeprefix(PREFIX): t for n, t in state.items() if n.startswith(PREFIX)}


def _maps(
    network: nn.Module, modules: list[nn.Module], image: torch.Tensor
) -> tuple[dict[nn.Module, torch.Tensor], int]:
    """Of those that give maps, in the order in which they do: the maps. And the classes."""
    seen: dict[nn.Module, torch.Tensor] = {}

    def look(module: nn.Module, given: tuple[Any, ...], maps: torch.Tensor) -> None:
        if maps.dim() == 4:
            seen[module] = maps

    handles = [module.register_forward_hook(look) for module in modules]
    was_training = network.training
    logits = network.eval()(image)
    network.train(was_training)
    for handle in handles:
        handle.remove()
    return seen, logits.shape[1]
