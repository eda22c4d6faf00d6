"""Memory that one inference needs: the weights, and the largest sum of maps alive at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from evonas.models import Network
from evonas.models.trace import BINARY, NORMS, POINTWISE, Trace, trace
from evonas.networks.plan import Plan

IN_PLACE = {*POINTWISE, *NORMS, *BINARY}


@dataclass(frozen=True)
class Move:
    """One operation: the maps that it reads and the one that it makes, by number; its elements."""

    reads: tuple[int, ...]
    makes: int
    elements: int
    is_in_place: bool = False


def peak_memory_bytes(plan: Plan) -> int:
    """Bytes of weights, and of the largest sum of maps alive at a time, for one image.

    Worked out, not measured, so that it is the same on every machine. Operations run one after
    the other in the network's own order. A map, the image too, lives from the operation that makes
    it to the last that reads it, so that while an operation runs what it reads and what it makes
    are there together; but norms, activations, sums and products write over a map of the size of
    their result, if nobody reads that later. Numbers have the plan's bits. Not counted: buffers
    inside of a library's convolutions, its own code, and what an allocator wastes.
    """
    with torch.device("meta"):
        network = Network(plan)
    return network_memory_bytes(network, plan.input_shape, plan.bits)


def network_memory_bytes(
    network: nn.Module, input_shape: tuple[int, int, int], bits: int = 32
) -> int:
    """The same of any network on the meta device."""
    traced = trace(network, (1, *input_shape), device="meta")
    weights = sum(each.numel() for each in (*network.parameters(), *network.buffers()))
    return (weights + peak_elements(traced.given[0].numel(), *_moves(traced))) * bits // 8


def peak_elements(given: int, moves: Sequence[Move], *outputs: int) -> int:
    """The largest sum of elements alive during any of the moves.

    Args:
        given: Elements of map 0, the input.
        outputs: The maps that live to the end.

    >>> peak_elements(4, [Move((0,), 1, 6), Move((1,), 2, 6, is_in_place=True)], 2)
    10
    """
    last_read = {map_: place for place, move in enumerate(moves) for map_ in move.reads}
    last_read |= dict.fromkeys(outputs, len(moves))
    alive, peak = {0: given}, given
    for place, move in enumerate(moves):
        dying = [m for m in set(move.reads) if last_read[m] == place and m in alive]
        if move.is_in_place:
            taken = next((m for m in dying if alive[m] == move.elements), None)
            if taken is not None:
                del alive[taken]
        alive[move.makes] = move.elements
        peak = max(peak, sum(alive.values()))
        unread = [move.makes] if move.makes not in last_read else []
        for map_ in (*dying, *unread):
            alive.pop(map_, None)
    return peak


def _moves(traced: Trace) -> tuple[list[Move], *tuple[int, ...]]:
    """The steps on maps, each map by a number; views have that of what they look at."""
    numbers = {id(traced.given[0]): 0}
    moves: list[Move] = []
    for step in traced.steps:
        known = (numbers[id(maps)] for maps in step.reads if id(maps) in numbers)
        reads = tuple(dict.fromkeys(known))
        if not reads:
            continue  # it works on weights alone
        if step.is_view or id(step.result) in numbers:
            numbers[id(step.result)] = reads[0]
            continue
        numbers[id(step.result)] = len(moves) + 1
        is_in_place = step.operation in IN_PLACE
        moves.append(Move(reads, len(moves) + 1, step.result.numel(), is_in_place))
    return moves, *(numbers[id(output)] for output in traced.outputs)
