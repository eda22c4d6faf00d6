"""A network's weights as a small file, its bytes before there are weights, and the way back."""

import copy
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import safetensors.torch
import torch

from evonas.compression.packing.integers import Integers
from evonas.compression.packing.packer import Packer
from evonas.compression.packing.product import Product
from evonas.compression.step import Compressed, StepKit
from evonas.exporters.packed_weights import unpacked
from evonas.models import deployed
from evonas.models.network import build_layer
from evonas.networks.plan import Layer, Plan
from evonas.settings.compression import QuantisationSettings

OTHER_BYTES = 2  # a number that is not packed, of norms and biases: float16
LARGEST = torch.finfo(torch.float16).max


def packed(compressed: Compressed, kit: StepKit) -> Compressed:
    """The network as it is deployed, packed, with the values that come out of the file again.

    What only a training needs, and scores with it, stays in the network as it is.
    """
    network = copy.deepcopy(compressed.network)
    content = pack(deployed(network).state_dict(), packer(kit.settings.quantisation, kit.seed))
    network.load_state_dict({**network.state_dict(), **unpack(content)})
    return replace(compressed, network=network, packed=content)


def packed_bytes(plan: Plan, settings: QuantisationSettings) -> int:
    """Bytes of all tensors in the file of a network as it is deployed, whatever its weights."""
    packing = packer(settings)
    parts = plan.as_deployed().parts
    shapes = [shape for part in parts for layer in part.layers for shape in _shapes(layer)]
    return sum(
        packing.stored_bytes(shape) if _is_packed(shape) else OTHER_BYTES * math.prod(shape)
        for shape in shapes
    )


def packer(settings: QuantisationSettings, seed: int = 0) -> Packer:
    """What packs weights as the settings of `weights` or `pq` say.

    Args:
        seed: Of what is drawn.
    """
    if settings.method == "pq":
        return Product(settings.block, settings.codewords, seed)
    return Integers(settings.bits, settings.group)


def pack(state: Mapping[str, torch.Tensor], packing: Packer) -> bytes:
    """A network's tensors by name as safetensors (see `exporters.packed_weights`).

    What is no weight of a convolution or a linear layer (biases, norms and their statistics) is
    stored in 16 bits: rounded by a part in 2,048 at most. Counts of batches are left out.
    """
    tensors: dict[str, torch.Tensor] = {}
    layout = {}
    for name, tensor in _stored(state).items():
        if not _is_packed(tensor.shape):
            tensors[name] = tensor.clamp(-LARGEST, LARGEST).half().cpu().contiguous()
            continue
        weight = packing.packed(tensor.detach().cpu().float())
        tensors |= {name + end: part.contiguous() for end, part in weight.tensors.items()}
        layout[name] = weight.layout
    return safetensors.torch.save(tensors, {"layout": json.dumps(layout)})


def unpack(content: bytes) -> dict[str, torch.Tensor]:
    """What a network that is shipped so computes with: its tensors in 32 bits, by name."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    layout = json.loads(header["__metadata__"]["layout"])
    return unpacked(safetensors.torch.load(content), layout)


def _stored(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Without what a network counts and never computes with."""
    return {name: tensor for name, tensor in state.items() if tensor.is_floating_point()}


def _is_packed(shape: Sequence[int]) -> bool:
    """Weights of convolutions and linear layers; nothing else has more than one axis."""
    return len(shape) > 1


@lru_cache(maxsize=1 << 14)
def _shapes(layer: Layer) -> tuple[torch.Size, ...]:
    """Of what is stored of a layer; a layer met before is not built again."""
    with torch.device("meta"):
        state = build_layer(layer).state_dict()
    return tuple(tensor.shape for tensor in _stored(state).values())
