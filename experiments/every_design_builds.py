"""Random designs of every space: all run on the meta device, some train a step and export.

Each design is decoded, encoded again, built and run forward as a whole at proxy and full scale on
the meta device; the first of them are built for real at proxy scale, trained one step on random
images, exported, and compared with ONNX Runtime. `failures` lists designs for which any of that
went wrong; `above_tolerance` counts those that differ by more only as torch's rounding does.
Counting layer by layer, which a search does, is timed beside the whole networks.
"""

import copy
import statistics
import time
from typing import Any

import numpy as np
import onnxruntime
import torch
from record import parser, report

from evonas.blueprint import Blueprint
from evonas.exporters.model_folder import TOLERANCE, largest_difference
from evonas.exporters.onnx import INPUT_NAME, onnx_model
from evonas.models import Network, build, count, plan_network
from evonas.space import Scale, SearchSpace, known_spaces, load_space

BATCH = 4
FEW = 4  # rounding is drawn by lot


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--designs", type=int, default=1000)
    words.add_argument("--trained", type=int, default=100)
    words.add_argument("--spaces", default=",".join(known_spaces()))
    given = words.parse_args()
    torch.set_num_threads(1)
    report(
        given,
        {
            name: examined(load_space(name), given.designs, given.trained)
            for name in given.spaces.split(",")
        },
    )


def examined(space: SearchSpace, designs: int, trained: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    failures, differences, prints = [], [], set()
    seconds: dict[str, list[float]] = {"whole": [], "counted": []}
    for index in range(designs):
        chromosome = space.sample(rng)
        blueprint = space.decode(chromosome)
        try:
            assert space.decode(space.encode(blueprint)).fingerprint == blueprint.fingerprint
            prints.add(blueprint.fingerprint)
            for scale in space.scales.values():
                for kind, took in run_on_meta(blueprint, scale).items():
                    seconds[kind].append(took)
            if index < trained:
                differences.append(trained_and_exported(blueprint, space.scales["proxy"]))
        except Exception as problem:  # whatever goes wrong with a design is the finding
            failures.append({"chromosome": list(chromosome), "problem": repr(problem)})
    return {
        "designs": designs,
        "different": len(prints),
        "trained": len(differences),
        "largest_onnx_difference": max(differences, default=None),
        "above_tolerance": sum(difference > TOLERANCE for difference in differences),
        "failures": failures,
        "median_ms_whole_network": 1000 * statistics.median(seconds["whole"]),
        "median_ms_counted_by_layers": 1000 * statistics.median(seconds["counted"]),
    }


def run_on_meta(blueprint: Blueprint, scale: Scale) -> dict[str, float]:
    """Seconds of the whole network's forward pass, and of counting it layer by layer."""
    start = time.perf_counter()
    plan = plan_network(blueprint, scale)
    with torch.device("meta"), torch.no_grad():
        network = Network(plan)
        logits = network(torch.empty(2, *scale.input_shape))
    whole = time.perf_counter() - start
    assert logits.shape == (2, scale.classes)
    start = time.perf_counter()
    counted = count(plan_network(blueprint, scale))
    took = time.perf_counter() - start
    assert counted.parameters == sum(p.numel() for p in network.parameters())
    return {"whole": whole, "counted": took}


def trained_and_exported(blueprint: Blueprint, scale: Scale) -> float:
    """The largest difference between torch and ONNX Runtime after one step of training.

    Relative to the largest logit where that is above 1: numbers of 32 bits have seven digits. An
    untrained network of 30 layers may multiply their rounding by thousands; then ONNX Runtime may
    be a few times as far from torch with 64 bits as torch with 32 is.
    """
    network = build(blueprint, scale, seed=0)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, *scale.input_shape, generator=generator)
    train_a_step(network, images)
    model = onnx_model(network, scale.input_shape, batch=BATCH)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    exported = torch.from_numpy(session.run(None, {INPUT_NAME: images.numpy()})[0])
    with torch.no_grad():
        logits = network.eval()(images)
        difference = largest_difference(logits, exported)
        if not difference <= TOLERANCE:
            exact = copy.deepcopy(network).double()(images.double())
            rounding = largest_difference(exact, logits)
            difference = largest_difference(exact, exported)
            assert difference <= max(TOLERANCE, FEW * rounding), (
                f"ONNX differs by {difference} from 64 bits, torch by {rounding}"
            )
    return difference


def train_a_step(network: Network, images: torch.Tensor) -> None:
    """After it the norms hold the statistics of these images: without, deep networks overflow."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    loss = torch.nn.functional.cross_entropy(network(images), torch.arange(BATCH))
    loss.backward()
    optimizer.step()
    assert torch.isfinite(loss)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(images)


if __name__ == "__main__":
    main()
