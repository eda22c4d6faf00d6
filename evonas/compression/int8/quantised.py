"""From a trained network to one that computes as 8 bits do."""

from collections.abc import Sequence

import torch
from torch import nn

from evonas.compression.int8.fake import quantised_graph
from evonas.compression.int8.folding import folded
from evonas.compression.int8.kernel_places import Placement
from evonas.compression.int8.ranges import calibrated
from evonas.compression.int8.traced_graph import Graph, GraphNetwork, graph_of
from evonas.errors import BuildError
from evonas.exporters.onnx_graph import CONVERSIONS, output_names
from evonas.hardware.device import products_of_8_bits
from evonas.models import Network, deployed, with_plan
from evonas.settings.compression import QuantisationSettings

MOST, MOST_REDUCED = 127, 63  # whole numbers of weights with 8 and with 7 bits


def quantised(
    network: nn.Module, images: torch.Tensor, settings: QuantisationSettings
) -> GraphNetwork:
    """A network of the same inputs and outputs that fakes what ONNX Runtime computes in 8 bits.

    Norms are folded, weights symmetric of 8 bits with a scale for each output (7 bits where the
    processor adds 8 in too few), tensors between layers affine of 8 bits with ranges from the
    images. Its ONNX form is the int8 model. It can be trained: scales of weights follow these,
    ranges of tensors stay.

    Args:
        images: For the ranges, normalised, (images, channels, height, width).

    Raises:
        BuildError: It cannot be computed in 8 bits.
    """
    graph, trained, shipped = folded_graph(network, images.shape[1:])
    placement = Placement(graph)
    check(graph, placement)
    percentile = settings.percentile if settings.calibration == "percentile" else 100.0
    plain = GraphNetwork(graph, tuple(graph.outputs), shipped)
    ranges = calibrated(plain, placement.sites.values(), images, percentile)
    most = MOST_REDUCED if products_of_8_bits() is None else MOST
    return GraphNetwork(quantised_graph(graph, ranges, most), trained, shipped)


def check(graph: Graph, placement: Placement) -> None:
    """Refuses what would be computed in 32 bits all the same.

    Raises:
        BuildError: It says why.
    """
    changing = graph.behind([graph.images])
    kinds = {each.kind for each in graph.operations if each.result in changing}
    reasons = [f"there is no ONNX form of {kind}" for kind in sorted(kinds - CONVERSIONS.keys())]
    if not placement.layers:
        reasons.append("no convolution and no linear layer is behind the first layer")
    if reasons:
        raise BuildError(
            f"This network cannot be computed in 8 bits: {'; '.join(reasons)}. "
            "Write compression.quantisation.method=none."
        )


Names = Sequence[str]


def folded_graph(network: nn.Module, shape: Sequence[int]) -> tuple[Graph, Names, Names]:
    """What a network does; the names of what a training needs, and of what is deployed.

    Raises:
        BuildError: It takes several images for one.
    """
    channels, height, width = shape
    if isinstance(network, Network):
        trained, shipped = network.plan.outputs, network.plan.deployed
        given = tuple(dict.fromkeys([*trained, *shipped]))
        network = with_plan(network, network.plan.giving(*given))
    else:
        network = deployed(network)
        trained = shipped = given = tuple(output_names(network))
    was_training = network.training
    try:
        graph = folded(graph_of(network, given, (channels, height, width)))
    finally:
        network.train(was_training)
    return graph, trained, shipped
