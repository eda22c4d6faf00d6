"""The forms in which a network is written down. A new form is a line in `FORMS`.

A model folder holds all of them, and a runtime times one of them: what is measured is what is
shipped.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evonas.exporters.agreement import Agreement, largest_difference, onnx_agreement, outputs_of
from evonas.exporters.file_names import ONNX, SOURCE
from evonas.exporters.model_code import defined
from evonas.exporters.onnx import onnx_model
from evonas.exporters.source import network_source
from evonas.exporters.weights import put_weights, tensors_of, weights_of
from evonas.models import Network, deployed

Shape = tuple[int, int, int]  # (channels, height, width)
TITLE = "A network that evonas found and wrote."


@dataclass(frozen=True)
class Form:
    """A way to write a network down, so that another program runs it.

    Attributes:
        file: What it is called in a model folder.
        write: From a network as it is trained, the shape of an image and the number of images
            (None: any number) to what the file holds.
        agreement: How far that is from the network, for images (batch, channels, height, width).
    """

    file: str
    write: Callable[[nn.Module, Shape, int | None], bytes]
    agreement: Callable[[nn.Module, bytes, torch.Tensor], Agreement]


def _onnx(network: nn.Module, input_shape: Shape, batch: int | None) -> bytes:
    return onnx_model(deployed(network), input_shape, batch)


def _onnx_agreement(network: nn.Module, model: bytes, images: torch.Tensor) -> Agreement:
    return onnx_agreement(deployed(network), model, images)


def _source(network: nn.Module, input_shape: Shape, batch: int | None) -> bytes:
    return source_with(network)


def source_with(network: nn.Module, *companions: Callable[..., Any]) -> bytes:
    """The source of a network, and with it functions of evonas, as `network_source` takes them."""
    assert isinstance(network, Network), "only what a plan describes is written as source"
    return network_source(network.plan, TITLE, companions).encode()


def _source_agreement(network: nn.Module, code: bytes, images: torch.Tensor) -> Agreement:
    other = defined(code, Path(SOURCE)).network
    put_weights(other, tensors_of(weights_of(network), Path(SOURCE)), Path(SOURCE))
    wanted = outputs_of(deployed(network), images)
    return Agreement(largest_difference(wanted, outputs_of(other, images)))


FORMS: Mapping[str, Form] = {
    "onnx": Form(ONNX, _onnx, _onnx_agreement),
    "source": Form(SOURCE, _source, _source_agreement),
}
