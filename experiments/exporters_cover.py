"""Whether evonas writes the ONNX graph of every network itself, without torch's exporter.

Each published network, and random designs of every space, at proxy and full scale in turn, are
built without weights and written for any number of images. `left_to_torch` lists
those that hold an operation without a conversion, which `exporters.onnx` would hand to torch.
"""

import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from record import parser, report
from torch import nn

from evonas.blueprint import Blueprint
from evonas.exporters.onnx_graph import NotExpressible, onnx_graph
from evonas.models import build, deployed
from evonas.presets import presets
from evonas.space import Scale, known_spaces, load_space

PRESETS = "presets"
Drawn = Iterator[tuple[str, Blueprint, Scale]]


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--designs", type=int, default=1000, help="of each space")
    with_networks = [name for name in known_spaces() if load_space(name).has_network]
    words.add_argument("--of", default=",".join([PRESETS, *with_networks]))
    given = words.parse_args()
    torch.set_num_threads(1)
    report(
        given,
        {
            name: written(published() if name == PRESETS else drawn(name, given.designs))
            for name in given.of.split(",")
        },
    )


def published() -> Drawn:
    """All published networks at their published inputs."""
    for name, preset in presets().items():
        yield name, preset.blueprint, preset.scale


def drawn(name: str, designs: int) -> Drawn:
    """Random designs of a space, at its scales in turn."""
    space, rng = load_space(name), np.random.default_rng(0)
    scales = cycle(space.scales.values())
    for number, scale in zip(range(designs), scales, strict=False):
        yield f"design {number} at {scale.name} scale", space.decode(space.sample(rng)), scale


def written(networks: Drawn) -> dict[str, Any]:
    """How many networks evonas writes itself, and why it does not write the others."""
    # The graph is written whole, but for the numbers of the weights.
    numpy_helper.from_array = lambda value, name: onnx.TensorProto(name=name)
    start, count, refused = time.perf_counter(), 0, []
    for name, blueprint, scale in networks:
        count += 1
        with torch.device("meta"):
            network = deployed(build(blueprint, scale).eval())
        try:
            onnx_graph(without_memory(network), scale.input_shape, None)
        except NotExpressible as problem:
            refused.append({"network": name, "problem": str(problem)})
    seconds = time.perf_counter() - start
    return {"networks": count, "left_to_torch": refused, "seconds": round(seconds)}


def without_memory(network: nn.Module) -> nn.Module:
    """The network with tensors whose numbers are one number each."""
    for module in network.modules():
        for name, weights in module.named_parameters(recurse=False):
            setattr(module, name, nn.Parameter(torch.zeros(()).expand(weights.shape)))
        for name, values in module.named_buffers(recurse=False):
            setattr(module, name, torch.zeros((), dtype=values.dtype).expand(values.shape))
    return network


if __name__ == "__main__":
    main()
