"""Methods of the step `quantisation` that compute in 8 bits."""

import copy
from dataclasses import replace
from functools import lru_cache

import numpy as np
import torch
from torch import nn

from evonas.compression.finetuning import epochs_of, finetuning
from evonas.compression.int8.kernel_places import Placement
from evonas.compression.int8.quantised import check, folded_graph, quantised
from evonas.compression.int8.traced_graph import Graph
from evonas.compression.step import Compressed, StepKit
from evonas.models import Network
from evonas.networks.plan import Plan
from evonas.settings.compression import QuantisationSettings
from evonas.tasks.normalisation import normalised
from evonas.training import train

BYTES = 4  # of what has 32 bits
CPU = torch.device("cpu")
# A training that knows of 8 bits goes on from where the network stands. The rate is a tenth of
# what is usual. Four designs of mobile cells and layers, trained on digits for five epochs and then
# for one in 8 bits, are right on 94.7 % before, and on 94.9, 96.0 and 94.7 % with a rate of 1e-5
# (that of detectors pre-trained on COCO), 1e-4 and 1e-3.
IN_8_BITS = {
    "optimizer": "adamw",
    "lr0": 1e-4,
    "lr_factor": 1.0,
    "lrf": 0.1,
    "momentum": 0.9,
    "weight_decay": 0.0,
    "schedule": "cosine",
    "warmup_epochs": 0.1,
    # What shows images that the network will not see, and what the rewritten network has no parts
    # or no kernels for.
    "mosaic": 0.0,
    "multi_scale": 0.0,
    "ema": 0.0,
    "weights": None,
    "freeze": 0,
    "layer_decay": 1.0,
    "amp": "off",
    "compile": False,
    "cuda_graphs": False,
}


def fits(plan: Plan) -> None:
    """Nothing, if what the plan describes can be computed in 8 bits.

    Raises:
        BuildError: It cannot.
    """
    check(*_places(plan.as_deployed()))


def int8_bytes(plan: Plan, settings: QuantisationSettings) -> int:
    """Bytes of the parameters in an int8 model, norms folded.

    A weight is a byte; an output channel has a scale and, if there is a bias, that and its scale.
    """
    graph, placement = _places(plan.as_deployed())
    layers = placement.layers.values()
    whole = {layer.weight for layer in layers}
    counts = {
        value: tensor.numel()
        for value, tensor in graph.weights.items()
        if isinstance(tensor, nn.Parameter)
    }
    scales = sum(len(graph.weights[each.weight]) * (1 + (each.bias is not None)) for each in layers)
    return BYTES * scales + sum(
        count if value in whole else BYTES * count for value, count in counts.items()
    )


@lru_cache(maxsize=256)
def _places(plan: Plan) -> tuple[Graph, Placement]:
    """Of a network without memory for its weights."""
    with torch.device("meta"):
        network = Network(plan)
    graph, _, _ = folded_graph(network, plan.input_shape)
    return graph, Placement(graph)


def in_int8(compressed: Compressed, kit: StepKit) -> Compressed:
    """What is trained, with ranges from some of the training images."""
    network = copy.deepcopy(compressed.network).to(CPU)
    made = quantised(network, _calibration_images(kit), kit.settings.quantisation)
    return replace(compressed, quantised=made)


def with_training(compressed: Compressed, kit: StepKit) -> Compressed:
    """The same, trained further: the network of 32 bits stays as it is.

    Raises:
        TrialFailure: The training diverged.
    """
    made = in_int8(compressed, kit)
    epochs = epochs_of(kit.recipe, kit.settings.quantisation.epochs)
    if epochs:
        assert made.quantised is not None, "it was just made"
        recipe = finetuning(kit.recipe, epochs).model_copy(update=IN_8_BITS)
        own = (made.quantised, kit.images, kit.problem, recipe, kit.seed, kit.device)
        train(*own, is_balanced=kit.is_balanced)
        made.quantised.to(CPU).eval()
    return made


def untrained(
    network: nn.Module, images: torch.Tensor, settings: QuantisationSettings
) -> nn.Module:
    """What would be deployed of a network with fresh weights."""
    return quantised(network, images, settings)


def _calibration_images(kit: StepKit) -> torch.Tensor:
    """The first images in an order that is the same for all designs of a run."""
    order = np.random.default_rng(0).permutation(len(kit.images))
    chosen = np.sort(order[: kit.settings.quantisation.images])
    return normalised(torch.from_numpy(kit.images.images[chosen]), kit.problem)
