"""Whole blocks that matter least go, where what they are given is added to what they make of it.

A residual network is a sum of paths of many lengths, and does nearly as well without some of its
blocks (arXiv 1605.06431, section 4.1). Of a fractal network the deepest column alone does nearly as
well as all (arXiv 1605.07648, section 4.2).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from torch import nn

from evonas.compression.pruning.importance import Scores
from evonas.compression.pruning.matching import meta_network
from evonas.compression.pruning.method import Cut, Method
from evonas.compression.step import Section
from evonas.errors import BuildError
from evonas.models.network import Network
from evonas.networks import planned as plan_of
from evonas.networks import shallower
from evonas.networks.stages.plan import stage_name
from evonas.training.parts import UNITS, has_role, last_norms, residual_branch, weighted

Stage = Mapping[str, Any]
Block = tuple[str, nn.Module]  # with its name
COLUMN = re.compile(r"convolutions\.(\d+)\.")
COUNTS = ("layers", "columns")  # what cuts change in a stage


class Depth(Method):
    """A network with fewer blocks of the same shapes."""

    def planned(self, section: Section, shares: Sequence[float]) -> Section:
        """See `Method.planned`."""
        return shallower(section, shares)

    def check(self, cut: Cut) -> None:
        """See `Method.check`."""
        before = meta_network(plan_of(cut.before))
        after = meta_network(plan_of(cut.after)).state_dict()
        state = before.state_dict()
        shapes = [state[name].shape for name in _kept_names(before, cut, {})]
        if shapes != [tensor.shape for tensor in after.values()]:
            raise BuildError(
                "compression.pruning.method=depth: without some blocks the others of this network "
                "have other shapes. Write another method."
            )

    def cut(self, network: Network, cut: Cut, importance: Scores) -> Network:
        """See `Method.cut`."""
        shallow, state = Network(plan_of(cut.after)), network.state_dict()
        names = _kept_names(network, cut, importance)
        pairs = zip(shallow.state_dict(), names, strict=True)
        shallow.load_state_dict({name: state[there] for name, there in pairs})
        return shallow


def _kept_names(network: Network, cut: Cut, importance: Scores) -> list[str]:
    """The tensors that stay, in the order of the network: that of the shallower one, too."""
    gone = [f"{name}." for name in _gone_blocks(network, cut, importance)]
    columns = _lone_columns(cut)
    return [
        name
        for name in network.state_dict()
        if not name.startswith(tuple(gone)) and not _is_of_other_column(name, columns)
    ]


def _stages(section: Section) -> Sequence[Stage]:
    stages: Sequence[Stage] = section.get("backbone", section)["stages"]
    return stages


def _gone_blocks(network: Network, cut: Cut, importance: Scores) -> Iterator[str]:
    """Names of the blocks that go; those of like stages behind each other are compared."""
    before, left = _stages(cut.before), list(_stages(cut.after))
    for like, stages in groupby(enumerate(before), key=lambda pair: _without_counts(pair[1])):
        indices = [index for index, _ in stages]
        layers = sum(before[index]["layers"] for index in indices)
        stay = 0
        for _ in indices:
            if left and _without_counts(left[0]) == like:
                stay += left.pop(0)["layers"]
        if stay < layers:
            blocks = [block for i in indices for block in _blocks(network, stage_name(i))]
            yield from _least(network, blocks, layers - stay, _fixed(before, indices), importance)


def _without_counts(stage: Stage) -> dict[str, Any]:
    return {key: value for key, value in stage.items() if key not in COUNTS}


def _blocks(network: nn.Module, part: str) -> list[Block]:
    named = network.get_submodule(part).named_modules(prefix=part)
    return [(name, module) for name, module in named if has_role(module, *UNITS)]


def _fixed(stages: Sequence[Stage], indices: Sequence[int]) -> list[int]:
    """The places of blocks with a stride."""
    places, place = [], 0
    for index in indices:
        if stages[index]["stride"] != 1 and not stages[index].get("csp"):
            places.append(place)
        place += stages[index]["layers"]
    return places


def _least(
    network: nn.Module, blocks: Sequence[Block], count: int, fixed: Sequence[int], scores: Scores
) -> list[str]:
    """Names of so many blocks that matter least and are like all others; of equals, the last."""
    if count == len(blocks):
        return [name for name, _ in blocks]
    usual = _shapes(blocks[-1][1])
    spare = [i for i, (_, b) in enumerate(blocks) if i not in fixed and _shapes(b) == usual]
    names = {id(tensor): name for name, tensor in network.named_parameters()}
    matters = {i: _importance(blocks[i][1], names, scores) for i in spare}
    least = sorted(spare, key=lambda i: (matters[i], -i))[:count]
    return [blocks[i][0] for i in least]


def _shapes(block: nn.Module) -> dict[str, Any]:
    return {name: tensor.shape for name, tensor in block.state_dict().items()}


def _importance(block: nn.Module, names: Mapping[int, str], scores: Scores) -> float:
    """The mean over the last norm of what the block adds, or its last convolution if none has."""
    if not scores:
        return 0.0
    branch = residual_branch(block) or block
    layers = last_norms(branch) or list(weighted(branch))[-1:]
    found = [scores[names[id(layer.get_parameter("weight"))]].mean() for layer in layers]
    return float(sum(found)) / len(found)


def _lone_columns(cut: Cut) -> dict[str, int]:
    """Parts of fractal blocks of which one column stays, with the place of its first convolution.

    Columns of 1, 2, 4... convolutions lie behind each other.
    """
    pairs = zip(_stages(cut.before), _stages(cut.after), strict=False)
    return {
        stage_name(index): 2 ** (before["columns"] - 1) - 1
        for index, (before, after) in enumerate(pairs)
        if before.get("columns") != after.get("columns")
    }


def _is_of_other_column(name: str, columns: Mapping[str, int]) -> bool:
    place = COLUMN.search(name)
    return place is not None and int(place[1]) < columns.get(name.partition(".")[0], 0)
