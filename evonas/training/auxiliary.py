"""More outputs in the depth of a network, for the time of a training."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

from evonas.models import initialise
from evonas.settings import TrainingSettings
from evonas.tasks.task import Loss
from evonas.training.parts import parts, units

PREFIX = "auxiliary"
CHANNELS = 128  # of the 1x1 convolution (arXiv 1409.4842, section 5)
SIDE = 2  # pixels of the pooled maps


class AuxiliaryHead(nn.Sequential):
    """Activation, pooling, 1x1 convolution with norm and activation, linear layer.

    (batch, in_channels, h, w) to (batch, outputs). GoogLeNet's (arXiv 1409.4842,
    section 5) as NASNet's code has it, but for pooling to 2x2 pixels whatever the size of the
    maps, as trainings may change it, and for one linear layer.
    """

    def __init__(self, in_channels: int, outputs: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(SIDE),
            nn.Conv2d(in_channels, CHANNELS, 1, bias=False),
            nn.BatchNorm2d(CHANNELS),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(CHANNELS * SIDE**2, outputs),
        )


class Auxiliary:
    """Listens to a network and weighs what its heads make of the maps.

    Args:
        weight: Of each one's loss, added to the network's.
    """

    def __init__(self, heads: list[nn.Module], weight: float) -> None:
        self.heads = nn.ModuleList(heads)
        self.weight = weight
        self.outputs: list[torch.Tensor] = []

    def listen(
        self, head: nn.Module, unit: nn.Module, given: tuple[Any, ...], maps: torch.Tensor
    ) -> None:
        """Hook behind the block whose maps a head sees, for passes that gradients go back.

        An adversary's pass is none: it is made in evaluation mode, and gradients go to the images.
        """
        if unit.training and maps.requires_grad:
            self.outputs.append(head(maps))

    def loss(self, targets: torch.Tensor, loss_of: Loss) -> torch.Tensor:
        """What the pass that was just made adds to the loss.

        Args:
            loss_of: The network's loss, which each head has by itself.
        """
        assert self.outputs, "the network has not been run with gradients"
        heard, self.outputs = self.outputs, []
        losses = [loss_of((output.float(),), targets) for output in heard]
        return self.weight * sum(losses[1:], losses[0])

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """The heads' weights and buffers, by names of their own."""
        return {
            _prefix(number) + name: tensor
            for number, head in enumerate(self.heads)
            for name, tensor in head.state_dict().items()
        }


def _prefix(number: int) -> str:
    """Of the names of a head's tensors, counted from 0."""
    return f"{PREFIX}_{number + 1}." if number else f"{PREFIX}."


@contextmanager
def attached(
    network: nn.Module,
    outputs: int | None,
    recipe: TrainingSettings,
    image: torch.Tensor,
    seed: int,
    state: dict[str, torch.Tensor],
) -> Iterator[Auxiliary | None]:
    """Puts a head behind the block or cell at two thirds of the depth, if the recipe asks for it.

    In NASNet that is the last cell before the second reduction (slim's code); networks of
    neither blocks nor cells have it behind the part at two thirds. What gives no maps does not
    count. Of several heads that is the place of the last, and others are evenly in front: of two,
    as GoogLeNet has, the first is at a third. There is no head where it would teach nothing: in a
    network without maps, or behind what is frozen. The network itself stays as it is, so its
    weights are those of one without.

    Args:
        outputs: Numbers that a head gives an image; None: the task has no such heads.
        image: One as the network gets them, (1, channels, height, width).
        state: What `Auxiliary.state` gave where the training was left.
    """
    if not recipe.auxiliary or outputs is None:
        yield None
        return
    found = units(network) or [part for _, part in parts(network)[:-1]]
    seen = _maps(network, found, image)
    learning = [place for place in _places(list(seen), recipe) if seen[place].requires_grad]
    if not learning:
        yield None
        return
    heads = []
    for number, place in enumerate(learning):
        head = _head(seen[place].shape[1], outputs, seed + number, recipe)
        head.load_state_dict({**head.state_dict(), **_own(state, _prefix(number))})
        heads.append(head.to(image.device).train())
    auxiliary = Auxiliary(heads, recipe.auxiliary)
    with ExitStack() as handles:
        for head, place in zip(heads, learning, strict=True):
            handle = place.register_forward_hook(partial(auxiliary.listen, head))
            handles.callback(handle.remove)
        yield auxiliary


def _places(places: list[nn.Module], recipe: TrainingSettings) -> list[nn.Module]:
    """Where the recipe's heads are; of a short network, fewer."""
    wanted = [
        round(len(places) * 2 / 3 * (number + 1) / recipe.auxiliary_heads)
        for number in range(recipe.auxiliary_heads)
    ]
    indices = sorted({max(0, place - 1) for place in wanted})
    return [places[index] for index in indices] if places else []


def _head(channels: int, outputs: int, seed: int, recipe: TrainingSettings) -> nn.Module:
    with torch.device("meta"):  # draws nothing from torch's own generator
        head = AuxiliaryHead(channels, outputs)
    head.to_empty(device="cpu")
    initialise(head, seed, recipe.initialisation)
    return head


def _own(state: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    return {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}


def _maps(
    network: nn.Module, modules: list[nn.Module], image: torch.Tensor
) -> dict[nn.Module, torch.Tensor]:
    """Of those that give maps, in the order in which they do: the maps."""
    seen: dict[nn.Module, torch.Tensor] = {}

    def look(module: nn.Module, given: tuple[Any, ...], maps: torch.Tensor) -> None:
        if maps.dim() == 4:
            seen[module] = maps

    handles = [module.register_forward_hook(look) for module in modules]
    was_training = network.training
    network.eval()(image)
    network.train(was_training)
    for handle in handles:
        handle.remove()
    return seen
