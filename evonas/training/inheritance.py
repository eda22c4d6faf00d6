"""A child network that begins with its parent's weights (Net2Net, arXiv 1511.05641)."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from evonas.training.parts import UNITS, Norm, has_role, units

Channels = str | None  # what channels of maps are called after: the layer that makes them
State = Mapping[str, torch.Tensor]


@torch.no_grad()
def inherit(child: nn.Module, parent: nn.Module, weights: State) -> float:
    """Puts the parent's weights into a fresh child and tells which share of its own they are.

    Tensors go to the layer of the same place: `stage_2.1` is the second block of the stage,
    whether the parent had two or three. What a change of the design asks for is done so that the
    child computes what its parent did, wherever that can be:

    - larger kernels get zeros around, smaller ones are cut out of the middle;
    - more channels are copies of the first ones, and what reads them divides its weights among
      the copies, unevenly so that these learn apart (section 2.3); group norm sees the change;
    - fewer channels are those whose filters have the largest L1 norm (arXiv 1608.08710);
    - a new block that is skipped around begins as an identity (section 2.4): the norm in front
      of the addition, or the convolution if there is none, is zero.

    Layers of another operation, and what else does not fit, stay as they are. Channels of cells
    are not followed: there, tensors fit whole or not at all, but for kernels. Nothing is drawn.

    Args:
        parent: The parent's network, for what its layers are; may be on the meta device.
        weights: The parent's tensors, by the names that `state_dict` gives them.

    Returns:
        The share of the child's parameters that come from the parent, 0..1.
    """
    state, places = child.state_dict(), _places(child)
    tensors = {places[name]: tensor for name, tensor in state.items()}
    of_parent = _places(parent)
    given = {of_parent[name]: tensor for name, tensor in weights.items() if name in of_parent}
    axes = {places[name]: channels for name, channels in _axes(child).items() if name in places}
    widths = _Widths(tensors, _of_same_blocks(given, tensors), axes)
    taken = set()
    for name, tensor in state.items():
        found = widths.fitted(places[name])
        if found is not None:
            tensor.copy_(found)
            taken.add(name)
    if taken:
        _begin_as_identities(child, taken)
    sizes = {name: tensor.numel() for name, tensor in child.named_parameters()}
    return sum(sizes[name] for name in taken & sizes.keys()) / sum(sizes.values())


def _places(network: nn.Module) -> dict[str, str]:
    """The tensors' names, and names that do not depend on what else there is.

    A stage of one block is named as one of several is, and attention does not count among the
    layers of its block.
    """
    places = {name: name for name in network.state_dict()}
    for name, place, layers in _layers_of_blocks(network):
        indices = {index: index for index, _ in layers.named_children()}
        gates = [index for index, layer in layers.named_children() if has_role(layer, "gate")]
        for gate in gates[:1]:
            behind = list(indices)[int(gate) + 1 :]
            indices |= {index: str(int(index) - 1) for index in behind} | {gate: "attention"}
        for tensor in layers.state_dict():
            index, _, rest = tensor.partition(".")
            places[f"{name}.layers.{tensor}"] = f"{place}.layers.{indices[index]}.{rest}"
    return places


def _layers_of_blocks(network: nn.Module) -> Iterator[tuple[str, str, nn.Module]]:
    """Name, place and layers of each block that has its layers in a row."""
    for part, module in network.named_children():
        blocks = [(part, f"{part}.0", module)]
        if not has_role(module, *UNITS):
            blocks = [(f"{part}.{i}", f"{part}.{i}", block) for i, block in module.named_children()]
        for name, place, block in blocks:
            layers = getattr(block, "layers", None)
            if has_role(block, *UNITS) and isinstance(layers, nn.Sequential):
                yield name, place, layers


def _of_same_blocks(given: State, own: State) -> dict[str, torch.Tensor]:
    """Without the tensors of blocks that have another operation now: other convolutions."""
    convolutions = [_convolutions(state) for state in (given, own)]
    same = {
        block for block in convolutions[0] if convolutions[0][block] == convolutions[1].get(block)
    }
    blocks = {name: name.partition(".layers.")[0] for name in given}
    return {n: t for n, t in given.items() if ".layers." not in n or blocks[n] in same}


def _convolutions(state: State) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, tensor in state.items():
        block, _, inner = name.partition(".layers.")
        if inner and tensor.dim() == 4 and not inner.startswith("attention"):
            found.setdefault(block, []).append(inner)
    return found


@dataclass
class _Walk:
    """Goes through a network from the input on and notes which channels each axis runs over.

    `axes` has for each tensor what its first axes are: (out, in) of a convolution.
    """

    channels: Channels = None  # of the maps so far; those of the images have no name
    axes: dict[str, tuple[Channels, ...]] = field(default_factory=dict)

    def through(self, name: str, module: nn.Module, out: Channels = None) -> None:
        """A layer called so; `out` are the channels it gives, else they are called after it."""
        before = self.channels
        if isinstance(module, nn.Conv2d | nn.Linear):
            is_depthwise = isinstance(module, nn.Conv2d) and module.groups > 1
            self.channels = before if is_depthwise else out or name
            self.axes[f"{name}.weight"] = (self.channels, None if is_depthwise else before)
            self.axes[f"{name}.bias"] = (self.channels,)
        elif isinstance(module, Norm):
            for tensor in ("weight", "bias", "running_mean", "running_var"):
                self.axes[f"{name}.{tensor}"] = (before,)
        elif has_role(module, "gate"):
            self.through(f"{name}.reduce", module.get_submodule("reduce"))
            self.through(f"{name}.expand", module.get_submodule("expand"), before)
        elif has_role(module, "block"):
            last = before if module.skip else None
            final = [n for n, layer in _layers(module) if isinstance(layer, nn.Conv2d)][-1]
            for inner, layer in _layers(module):
                self.through(f"{name}.{inner}", layer, last if inner == final else None)
        else:
            for inner, layer in module.named_children():
                self.through(f"{name}.{inner}" if name else inner, layer)


def _layers(block: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The convolutions, norms and attentions of a block in a row."""
    for name, module in block.named_modules():
        is_layer = isinstance(module, nn.Conv2d | Norm) or has_role(module, "gate")
        if is_layer and not name.endswith((".reduce", ".expand")):
            yield name, module


def _axes(network: nn.Module) -> dict[str, tuple[Channels, ...]]:
    """Nothing where maps do not simply run through one layer after the other."""
    if not all(has_role(unit, "block") for unit in units(network)):
        return {}
    if any(map(_has_branches, network.modules())):
        return {}
    walk = _Walk()
    walk.through("", network)
    last = walk.channels  # the classes
    return {
        name: tuple(None if own == last else own for own in channels)
        for name, channels in walk.axes.items()
    }


def _has_branches(module: nn.Module) -> bool:
    if isinstance(module, nn.Conv2d):
        return 1 < module.groups < module.in_channels
    return has_role(module, "concat", "sum", "weighted_sum", "features")


@dataclass(frozen=True)
class _Chosen:
    """Which of the parent's channels the child's are, and how much of each reader's weights."""

    width: int  # the parent's
    index: torch.Tensor
    shares: torch.Tensor


class _Widths:
    """Tensors of the parent in the shapes of the child."""

    def __init__(self, own: State, given: State, axes: Mapping[str, tuple[Channels, ...]]) -> None:
        self.own = own
        self.given = given
        self.axes = axes
        self.chosen: dict[str, _Chosen] = {}
        for name, channels in axes.items():
            if name in own and name in given:
                self._choose(name, channels)

    def _choose(self, name: str, channels: tuple[Channels, ...]) -> None:
        """From the first tensor that both have: the filters that make these channels."""
        own, given = self.own[name], self.given[name]
        for axis, called in enumerate(channels):
            if called is None or called in self.chosen or own.dim() != given.dim():
                continue
            strengths = given.abs().transpose(0, axis).reshape(given.shape[axis], -1).sum(1)
            self.chosen[called] = _choose(strengths, own.shape[axis])

    def fitted(self, name: str) -> torch.Tensor | None:
        """The parent's tensor of that name, made to fit; None if there is none that does."""
        own, found = self.own[name], self.given.get(name)
        if found is None or found.dim() != own.dim() or found.dtype != own.dtype:
            return None
        for axis, called in enumerate(self.axes.get(name, ())):
            chosen = self.chosen.get(called) if called else None
            if chosen is None:
                continue
            if chosen.width != found.shape[axis]:
                return None  # the parent's tensors do not belong together
            found = found.index_select(axis, chosen.index)
            if axis == 1:
                found = found * chosen.shares.reshape(1, -1, *[1] * (found.dim() - 2))
        if found.dim() == 4:
            found = _resized(found, own.shape[2:])
        return found if found.shape == own.shape else None


def _choose(strengths: torch.Tensor, count: int) -> _Chosen:
    """So many of the parent's channels: the strongest, or all and copies of the first ones.

    >>> _choose(torch.tensor([1.0, 3.0, 2.0]), 2).index.tolist()
    [1, 2]
    >>> chosen = _choose(torch.tensor([1.0, 3.0]), 3)
    >>> chosen.index.tolist(), [round(share, 2) for share in chosen.shares.tolist()]
    ([0, 1, 0], [0.33, 1.0, 0.67])
    """
    width = len(strengths)
    if count < width:
        order = strengths.argsort(descending=True, stable=True)
        return _Chosen(width, order[:count].sort().values, torch.ones(count))
    index = torch.arange(count) % width
    ranks = torch.arange(count) // width + 1
    copies = torch.bincount(index, minlength=width)[index]
    return _Chosen(width, index, 2 * ranks / (copies * (copies + 1)))


def _resized(weights: torch.Tensor, kernel: Sequence[int]) -> torch.Tensor:
    """(out, in, height, width) with another kernel: zeros around, or the middle.

    A kernel of another parity has no middle of its own; it is left to not fit.
    """
    grown = [wanted - own for wanted, own in zip(kernel, weights.shape[2:], strict=True)]
    if any(more % 2 for more in grown):
        return weights
    height, width = (more // 2 for more in grown)
    return nn.functional.pad(weights, (width, width, height, height))


def _begin_as_identities(child: nn.Module, taken: set[str]) -> None:
    """Silences the blocks beside a skip of which nothing was taken."""
    for name, block in child.named_modules():
        is_new = not any(tensor.startswith(f"{name}.") for tensor in taken)
        if has_role(block, "block") and block.skip and is_new:
            last = [m for _, m in _layers(block) if isinstance(m, nn.Conv2d | Norm)][-1]
            for weights in last.parameters():
                nn.init.zeros_(weights)
