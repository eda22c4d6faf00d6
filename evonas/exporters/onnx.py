"""Network to ONNX, for measuring and for keeping."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator

import torch
from torch import nn

from evonas.errors import BuildError
from evonas.exporters.onnx_graph import (
    INPUT_NAME,
    OPSET,
    OUTPUT_NAME,
    NotExpressible,
    onnx_graph,
    output_names,
)

MOST_BYTES = 2**31 - 2**20  # of a protocol buffer, with room for the graph

__all__ = ["INPUT_NAME", "OUTPUT_NAME", "onnx_model"]


def onnx_model(
    network: nn.Module, input_shape: tuple[int, int, int], batch: int | None = 1
) -> bytes:
    """A serialised ONNX model, in about ten milliseconds.

    Written by evonas where it can, as all shipped spaces and published networks can be
    (`experiments/exporters_cover.py`); else by torch's exporter, in seconds or minutes.

    Args:
        batch: The number of images; None takes any number.

    Raises:
        BuildError: The weights are more than an ONNX file holds.
    """
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.parameters())
    if size > MOST_BYTES:
        raise BuildError(
            f"Weights of {size / 2**30:.1f} GB are more than the 2 GB that an ONNX file holds. "
            "Set constraints.parameters.max, to 500000000 at most."
        )
    try:
        return onnx_graph(network, input_shape, batch)
    except NotExpressible:
        return torch_onnx(network, input_shape, batch)


def torch_onnx(network: nn.Module, input_shape: tuple[int, int, int], batch: int | None) -> bytes:
    """A serialised ONNX model by torch's exporter."""
    network = network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    # Two images, because the exporter takes a dimension of one for a constant.
    images = torch.zeros(batch or 2, *input_shape)
    dynamic = None if batch else ({0: torch.export.Dim("batch")},)
    with _quiet(), torch.no_grad():
        program = torch.onnx.export(
            network,
            (images,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(output_names(network)),
            dynamic_shapes=dynamic,
            verbose=False,
        )
    assert program is not None, "the dynamo exporter gives a program"
    return bytes(program.model_proto.SerializeToString())


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """The exporter warns of things that no user of ours can act on."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
