"""Which weights belong to one channel, and which channels of two networks are each other's.

A network and the same one with fewer channels are followed side by side, operation by operation.
Each element of a map carries the number of its channel: convolutions give new numbers, depthwise
ones pass on those that they read, whatever moves elements moves their numbers, and a sum makes
channels one. So there is nothing to know of blocks.
"""

import torch
from torch import nn

from evonas.compression.pruning.passing import Sides, Steps, handler_of
from evonas.compression.pruning.sides import OF_IMAGES, Side, Unfollowed, behind, spread
from evonas.errors import BuildError
from evonas.models.trace import Step, trace


@torch.no_grad()
def follow(
    large: nn.Module, small: nn.Module, input_shape: tuple[int, int, int]
) -> tuple[Side, Side]:
    """The channels of two networks, of which the second one has less of them.

    Args:
        large, small: On the meta device.
        input_shape: (channels, height, width) of an image.

    Raises:
        BuildError: They do not do the same, or something that no channel can be taken from.
    """
    traces = [trace(network, (1, *input_shape), device="meta") for network in (large, small)]
    sides = (_side(large), _side(small))
    for side, each in zip(sides, traces, strict=True):
        side.ids[id(each.given[0])] = spread(
            side.fresh(input_shape[0], OF_IMAGES), each.given[0].shape
        )
    for number, steps in enumerate(zip(traces[0].steps, traces[1].steps, strict=False)):
        if steps[0].operation != steps[1].operation:
            raise _another(sides[0])
        _through(sides, steps, number)
    if len(traces[0].steps) != len(traces[1].steps):
        raise _another(sides[0])
    return sides


def _side(network: nn.Module) -> Side:
    return Side({id(tensor): name for name, tensor in network.state_dict(keep_vars=True).items()})


def _another(side: Side) -> BuildError:
    return BuildError(
        "compression.pruning: with fewer channels this network computes something else"
        f"{behind(side)}: a shortcut, or a filling up with zeros, comes or goes with the widths "
        "around it. Write another ratio, or another method."
    )


def _through(sides: Sides, steps: Steps, number: int) -> None:
    """Notes what a step of both networks does with channels."""
    for side, step in zip(sides, steps, strict=True):
        _note_constant(side, step)
    if not any(id(tensor) in sides[0].ids for tensor in steps[0].reads):
        return
    try:
        results = handler_of(steps[0])(sides, steps, number)
    except Unfollowed:
        weighted = [sides[0].names[id(t)] for t in steps[0].reads if id(t) in sides[0].names]
        if weighted:
            raise BuildError(
                f"compression.pruning: channels cannot leave this network, as {weighted[0]} reads "
                "what depends on all channels at once. Write another method."
            ) from None
        results = (None, None)
    for side, step, ids in zip(sides, steps, results, strict=True):
        side.ids[id(step.result)] = ids


def _note_constant(side: Side, step: Step) -> None:
    """A weight that is only turned round keeps its name."""
    given = step.reads
    if not step.is_view or len(given) != 1 or given[0].numel() != step.result.numel():
        return
    if id(given[0]) in side.names:
        side.names[id(step.result)] = side.names[id(given[0])]
