"""Networks with norms that have seen images, and what ONNX Runtime makes of models."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from evonas.compression.int8.quantised import quantised
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_network import OnnxNetwork
from evonas.models import Network, build
from evonas.settings.compression import QuantisationSettings
from evonas.space import load_space

SHAPE = (8, 12, 12)
SETTINGS = QuantisationSettings(method="int8")


def images(count: int, shape: tuple[int, ...] = SHAPE) -> torch.Tensor:
    return torch.randn(count, *shape, generator=torch.Generator().manual_seed(0))


def seasoned(network: Any, shape: tuple[int, ...] = SHAPE) -> Any:
    """The network with statistics of some images."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network.train()(images(16, shape) + 0.5)
    return network.eval()


def drawn(space_name: str, seed: int = 0) -> tuple[Network, tuple[int, int, int]]:
    """A design of a space at proxy scale, with the shape of its images."""
    space = load_space(space_name)
    scale = space.scales["proxy"]
    design = space.decode(space.sample(np.random.default_rng(seed)))
    return seasoned(build(design, scale, seed=0), scale.input_shape), scale.input_shape


def both(network: nn.Module, shape: tuple[int, ...] = SHAPE) -> tuple[nn.Module, OnnxNetwork]:
    """The quantised network in torch and in ONNX Runtime."""
    made = quantised(network, images(16, shape), SETTINGS)
    channels, height, width = shape
    return made, OnnxNetwork(onnx_model(made, (channels, height, width), None))


def optimised(model: bytes, folder: Path) -> Counter[str]:
    """How often each operation is in what ONNX Runtime makes of a model."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(folder / "optimised.onnx").graph.node)
