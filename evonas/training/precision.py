"""Numbers of 16 bits where they are faster: bfloat16 by autocast, weights stay float32.

Which is faster depends on processor and network: on a CPU with AVX512-bf16 plain convolutions
gain a half and depthwise ones lose as much. So a short probe decides, once per run and family.
"""

import copy
import statistics
import time

import torch
from torch import nn

from evonas.settings import TrainingSettings

WARM_UP_STEPS = 2
TIMED_STEPS = 5
LONGER = 20  # times the probe that a training has to be, or the probe costs more than it gains
GAIN = 0.95  # bfloat16 costs accuracy: it has to take less than this share of the time


def network_family(network: nn.Module) -> str:
    """`depthwise` if the network has convolutions of one map each, else `plain`.

    Networks of a family gain from bfloat16 or lose alike: a decision for one is for all.
    """
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    deep = any(layer.groups == layer.in_channels > 1 for layer in convolutions)
    return "depthwise" if deep else "plain"


def in_bfloat16(recipe: TrainingSettings, decision: bool) -> bool:
    """Whether a recipe's training computes in bfloat16; `auto` leaves it to the decision."""
    return decision if recipe.amp == "auto" else recipe.amp == "on"


def autocast(device: torch.device, bfloat16: bool) -> torch.autocast:
    """The context in which a network computes."""
    return torch.autocast(device.type, torch.bfloat16, enabled=bfloat16)


def is_worth_a_probe(steps: int) -> bool:
    """Whether a training of so many steps can win back what the probe takes."""
    return steps >= LONGER * 2 * (WARM_UP_STEPS + TIMED_STEPS)


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
        out = network(images)
    out.float().square().mean().backward()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start
