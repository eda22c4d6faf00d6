"""What computing in 8 bits gives and costs: size, accuracy in ONNX Runtime, paired latency.

Of published networks and designs of mobile_cells at full scale, with fresh weights: how many times
smaller the model is and how many times faster, by the paired clock on one core; both are measured
in turns, and ratios are medians over turns. Of designs of mobile_cells trained on digits and of
detectors trained on `data=shapes` also the points lost: the network of 32 bits, static int8 with
both calibrations, and after a training that knows of 8 bits, all on the validation images. `agree`
is the share of output values in which ONNX Runtime is within a quantum of what torch fakes.
"""

import statistics
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from record import parser, report
from torch import nn

from evonas import preset
from evonas.blueprint import Blueprint, scaled_network
from evonas.compression.compress import compressed
from evonas.compression.int8.quantised import quantised
from evonas.compression.step import StepKit
from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.exporters.agreement import share_within_a_quantum
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_network import OnnxNetwork
from evonas.hardware.device import products_of_8_bits
from evonas.hardware.latency import Clock, reference_ms
from evonas.models import Network, build, count, deployed, initialise
from evonas.networks import planned as plan_of
from evonas.settings import (
    CompressionSettings,
    DataSettings,
    LatencySettings,
    TrainingSettings,
)
from evonas.settings.compression import QuantisationSettings
from evonas.settings.run_settings import ShapesSettings
from evonas.space import Scale, load_space
from evonas.tasks import task_of
from evonas.tasks.normalisation import normalised
from evonas.training import evaluate, train

PRESETS = ("mobilenet_v2", "resnet18")
CPU = torch.device("cpu")
AGREEING = 64  # images


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--designs", type=int, default=3, help="of each space")
    words.add_argument("--turns", type=int, default=3, help="of both latencies")
    words.add_argument("--epochs", type=int, default=5, help="of a training on digits")
    given = words.parse_args()
    torch.set_num_threads(1)
    speeds = {
        name: speed(network, shape, given.turns)
        for name, network, shape in untrained(given.designs)
    }
    losses = {
        name: loss(section, data, epochs)
        for name, section, data, epochs in to_train(given.designs, given.epochs)
    }
    report(given, {"products": products_of_8_bits(), "speed": speeds, "accuracy": losses})


def designs(space_name: str, number: int) -> list[Blueprint]:
    """The first ones that are drawn."""
    space, rng = load_space(space_name), np.random.default_rng(0)
    return [space.decode(space.sample(rng)) for _ in range(number)]


def untrained(number: int) -> Iterator[tuple[str, nn.Module, tuple[int, int, int]]]:
    """Networks as they are deployed, with the shapes of their images."""
    for name in PRESETS:
        found = preset(name)
        yield name, build(found.blueprint, found.scale, seed=0), found.scale.input_shape
    for space_name in ("mobile_cells", "detector"):
        scale = load_space(space_name).scales["full"]
        for index, design in enumerate(designs(space_name, number)):
            yield f"{space_name} {index}", build(design, scale, seed=0), scale.input_shape


def speed(network: nn.Module, shape: tuple[int, int, int], turns: int) -> dict[str, Any]:
    """How many times smaller and faster the model of 8 bits is."""
    settings = LatencySettings(spread=0.02)
    clock = Clock(settings, reference_ms(settings))
    images = torch.randn(4, *shape, generator=torch.Generator().manual_seed(0))
    made = quantised(network.eval(), images, QuantisationSettings(method="int8"))
    plain, whole = (onnx_model(deployed(each), shape, 1) for each in (network, made))
    pairs = [(clock.measure(plain).ms, clock.measure(whole).ms) for _ in range(turns)]
    return {
        "parameters": sum(each.numel() for each in network.parameters()),
        "smaller": round(len(plain) / len(whole), 2),
        "ms": round(statistics.median(before for before, _ in pairs), 2),
        "faster": round(statistics.median(before / after for before, after in pairs), 2),
    }


def to_train(number: int, epochs: int) -> Iterator[tuple[str, dict[str, Any], Dataset, int]]:
    """Scaled sections with the images that they learn from."""
    digits = load_data(DataSettings(name="digits"), 16)
    shapes = ShapesSettings(images=400, classes=3, resolution_px=64)
    boxes = load_data(DataSettings(name="shapes", shapes=shapes), 64)
    for space_name, data, longer in (("mobile_cells", digits, 1), ("detector", boxes, 2)):
        scale = fitted(load_space(space_name).scales["proxy"], data)
        for index, design in enumerate(designs(space_name, number)):
            section = dict(scaled_network(design, scale))
            yield f"{space_name} {index}", section, data, epochs * longer


def fitted(scale: Scale, data: Dataset) -> Scale:
    channels, side_px, _ = data.train.images.shape[1:]
    classes = len(data.problem.classes)
    return replace(scale, resolution_px=side_px, input_channels=channels, classes=classes)


def loss(section: dict[str, Any], data: Dataset, epochs: int) -> dict[str, Any]:
    """The main score in 32 bits, and of each way to 8 bits how many points fewer it has."""
    task = task_of(data.problem)
    recipe = TrainingSettings(**{**task.recipe, "epochs": epochs})
    network = Network(plan_of(section))
    initialise(network, 0)
    train(network, data.train, data.problem, recipe, 0)
    before = evaluate(network, data.validation, data.problem, recipe)[task.main]
    found: dict[str, Any] = {"parameters": count(network.plan).parameters, "before": before}
    images = normalised(torch.from_numpy(data.validation.images[:AGREEING]), data.problem)
    ways = {
        "int8": {"method": "int8"},
        "int8_percentile": {"method": "int8", "calibration": "percentile"},
        "qat": {"method": "qat"},
    }
    for name, way in ways.items():
        settings = CompressionSettings.model_validate({"quantisation": way})
        own = (settings, recipe, section, data.train, data.problem)
        made = compressed(network, StepKit(*own, seed=0, device=CPU)).quantised
        assert made is not None, "both methods compute in 8 bits"
        run = OnnxNetwork(onnx_model(made, network.plan.input_shape, None))
        after = evaluate(run, data.validation, data.problem, recipe)[task.main]
        found[f"{name}_lost"] = round(100 * (before - after), 2)
        found[f"{name}_agree"] = round(share_within_a_quantum(made, run, images), 4)
    return found


if __name__ == "__main__":
    main()
