"""Numbers of 16 bits where they are faster: bfloat16 by autocast, weights stay float32.

Which is faster depends on processor and network: on a CPU with AVX512-bf16 plain convolutions
gain a half and depthwise ones lose as much. So a short probe decides, once per run and family.
"""

import copy
import statistics
import time
from functools import lru_cache

import torch
from torch import nn

from evonas.models.network import build_layer
from evonas.networks.plan import Layer, Plan
from evonas.settings import TrainingSettings
from evonas.tasks.task import outputs_of
from evonas.training.batches import batch_size

WARM_UP_STEPS = 2
TIMED_STEPS = 5
PROBE_STEPS = 2 * (WARM_UP_STEPS + TIMED_STEPS)  # in both types
LONGER = 20  # times the probe that a training has to be, or the probe costs more than it gains
LEAST_MACS = 1e11  # multiply-adds of a training, some ten seconds on one core
PASSES = 3  # through a network in a step of its training: forward, and twice as much backward
GAIN = 0.95  # bfloat16 costs accuracy: it has to take less than this share of the time


def network_family(plan: Plan) -> str:
    """`depthwise` if the network has convolutions of one map each, else `plain`.

    Networks of a family gain from bfloat16 or lose alike: a decision for one is for all. A layer
    met before is not built again, so that asking for another design of a space costs next to
    nothing.
    """
    leaves = (layer for layer in plan.layers if not any(layer.parts))
    return "depthwise" if any(_is_depthwise(leaf) for leaf in leaves) else "plain"


@lru_cache(maxsize=1 << 16)
def _is_depthwise(layer: Layer) -> bool:
    """Whether there is such a convolution in a layer."""
    with torch.device("meta"):
        module = build_layer(layer)
    convolutions = (each for each in module.modules() if isinstance(each, nn.Conv2d))
    return any(each.groups == each.in_channels > 1 for each in convolutions)


def in_bfloat16(recipe: TrainingSettings, decision: bool) -> bool:
    """Whether a recipe's training computes in bfloat16; `auto` leaves it to the decision."""
    return decision if recipe.amp == "auto" else recipe.amp == "on"


def autocast(device: torch.device, bfloat16: bool) -> torch.autocast:
    """The context in which a network computes."""
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)


def is_worth_a_probe(recipe: TrainingSettings, images: int, macs: int) -> bool:
    """Whether a training can win back what the probe takes, and is long enough to care.

    Args:
        images: Of an epoch.
        macs: Multiply-adds of one image through the network.
    """
    seen = recipe.epochs * images
    is_longer = seen >= LONGER * PROBE_STEPS * batch_size(recipe, images)
    return is_longer and PASSES * macs * seen >= LEAST_MACS


def probe(network: nn.Module, images: torch.Tensor, device: torch.device) -> bool:
    """Whether steps of this network are clearly faster in bfloat16, timed in turns.

    Args:
        network: Is left as it is; a copy runs.
        images: A normalised batch (batch, channels, height, width).
    """
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        trial = copy.deepcopy(network).to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
        batch = images.to(device, memory_format=torch.channels_last)
        times: dict[bool, list[float]] = {True: [], False: []}
        for _ in range(WARM_UP_STEPS + TIMED_STEPS):
            for bfloat16, seconds in times.items():
                seconds.append(_seconds(trial, batch, device, bfloat16))
    fast, usual = (statistics.median(times[key][WARM_UP_STEPS:]) for key in (True, False))
    return fast < GAIN * usual


def _seconds(
    network: nn.Module, images: torch.Tensor, device: torch.device, bfloat16: bool
) -> float:
    start = time.perf_counter()
    with autocast(device, bfloat16):
        outputs = outputs_of(network(images))
    torch.stack([output.float().square().mean() for output in outputs]).sum().backward()  # type: ignore[no-untyped-call]
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
