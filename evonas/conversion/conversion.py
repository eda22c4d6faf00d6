"""What a reader of weights finds in a file, and the network that it finds it for."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from evonas.blueprint import plan_network
from evonas.models import Network
from evonas.presets import Preset


@dataclass(frozen=True)
class Conversion:
    """Weights under the names of a network.

    `origin`: the program, with its version. `images_seen`: by the training that they are of; None
    if the file does not say. `layers`: how many were read, and how many the network has.
    `numbers`: of these in the file. `missing`: tensors of the other layers. `left_out`: layers of
    the file that only a training needs. `alike`: how many layers have an equal in shape, and were
    told apart by their order and names. `has_known_names`: see `known_places`.
    """

    tensors: Mapping[str, torch.Tensor]
    origin: str
    images_seen: int | None
    layers: tuple[int, int]
    numbers: int
    missing: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    alike: int = 0
    has_known_names: bool = False


def put(tensors: Mapping[str, torch.Tensor], network: Network) -> None:
    """Lets the published network have the weights of a whole file.

    What no file has, such as the anchors of a detector, stays as it was published.
    """
    network.load_state_dict({**network.state_dict(), **tensors})


def without_weights(preset: Preset) -> Network:
    """The published network on the meta device: names and shapes, no numbers."""
    with torch.device("meta"):
        return Network(plan_network(preset.blueprint, preset.scale))
