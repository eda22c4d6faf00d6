"""Random designs of every space: all run on the meta device, some train a step and export.

Each design is decoded, encoded again, built and run forward as a whole at proxy and full scale on
the meta device; the first of them are built for real at proxy scale, trained one step on random
images, exported, and compared with ONNX Runtime. `failures` lists designs for which any of that
went wrong. Untrained networks may multiply rounding: where torch and ONNX Runtime differ by more
than 1e-4, both are compared with 64 bits, by ONNX's own definitions of its operators, and listed.
Counting layer by layer, which a search does, is timed beside the whole networks.
"""

import statistics
import time
from typing import Any

import numpy as np
import torch
from record import parser, report

from evonas.blueprint import Blueprint, plan_network
from evonas.exporters.agreement import TOLERANCE, Agreement, onnx_agreement
from evonas.exporters.onnx import onnx_model
from evonas.models import Network, build, count
from evonas.space import Scale, SearchSpace, known_spaces, load_space

BATCH = 4


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
    failures, prints = [], set()
    agreements: list[Agreement] = []
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
                agreements.append(trained_and_exported(blueprint, space.scales["proxy"]))
        except Exception as problem:  # whatever goes wrong with a design is the finding
            failures.append({"chromosome": list(chromosome), "problem": repr(problem)})
    return {
        "designs": designs,
        "different": len(prints),
        "trained": len(agreements),
        "largest_onnx_difference": max((each.difference for each in agreements), default=None),
        "compared_with_64_bits": [vars(each) for each in agreements if each.rounding is not None],
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


def trained_and_exported(blueprint: Blueprint, scale: Scale) -> Agreement:
    """How far the network and its ONNX model are apart after one step of training."""
    network = build(blueprint, scale, seed=0)
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(BATCH, *scale.input_shape, generator=generator)
    train_a_step(network, images)
    agreement = onnx_agreement(network, onnx_model(network, scale.input_shape, BATCH), images)
    assert agreement.difference <= TOLERANCE, f"{agreement}"
    return agreement


def train_a_step(network: Network, images: torch.Tensor) -> None:
    """After it the norms hold the statistics of these images: without, deep networks overflow."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    loss = torch.nn.functional.cross_entropy(network(images), torch.arange(BATCH))
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    assert torch.isfinite(loss)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network(images)


if __name__ == "__main__":
    main()
