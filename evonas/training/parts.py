"""What a network consists of, whether evonas built it or the source that evonas exported.

Exported source has copies of the classes in `evonas.models`: modules are told by their names.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from torch import nn

from evonas.models.blocks import BLOCKS
from evonas.networks.stages import IDENTITY

Norm = nn.BatchNorm2d | nn.GroupNorm
# Activations that are nearly the identity of what is large.
RECTIFIERS = (
    nn.ReLU,
    nn.ReLU6,
    nn.LeakyReLU,
    nn.PReLU,
    nn.ELU,
    nn.SELU,
    nn.Mish,
    nn.SiLU,
    nn.Hardswish,
)
UNITS = tuple(block.__name__ for name, block in BLOCKS.items() if name != IDENTITY)


def is_called(module: nn.Module, *names: str) -> bool:
    """True if the module's class, or one that it is made from, has one of these names."""
    return any(cls.__name__ in names for cls in type(module).__mro__)


def parts(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The parts of a network with their names, from the input to the classifier.

    Those that its source names one by one: `stem, stage_1, ..., head`. Of a stack of cells, each
    cell is a part: `cells.0`.
    """
    found = []
    for name, child in network.named_children():
        if is_called(child, "CellStack"):
            cells = next(child.children())
            found += [(f"{name}.{index}", cell) for index, cell in cells.named_children()]
        else:
            found.append((name, child))
    return found


def units(network: nn.Module) -> list[nn.Module]:
    """The blocks and cells, from the input on; blocks that only pass maps on are none."""
    names = ("Block", *UNITS, "Cell", "ResidualReduction")
    return [module for module in network.modules() if is_called(module, *names)]


def residual_branch(unit: Any) -> nn.Module | None:
    """What a block adds to what it is given, or to a shortcut; None if there is no such thing."""
    if is_called(unit, "Block"):
        branch: nn.Module | None = unit.layers if unit.skip else None
        return branch
    return unit.branch if is_called(unit, "ResidualSum") else None


def residual_branches(network: nn.Module) -> Iterator[nn.Module]:
    """Those of all blocks, and of sums in chains: the branches beside one without layers."""
    module: Any
    for module in network.modules():
        if is_called(module, "Sum"):
            filled = [branch for branch in module.branches if list(branch.children())]
            yield from filled if len(filled) < len(module.branches) else []
        elif (branch := residual_branch(module)) is not None:
            yield branch


def last_norms(module: Any) -> list[nn.Module]:
    """The last norm of layers in a row; of parallel ones that of each, in their order."""
    if isinstance(module, Norm):
        return [module]
    if is_called(module, "Concat", "Sum"):
        return [norm for branch in module.branches for norm in last_norms(branch)]
    found = (last_norms(child) for child in reversed(list(module.children())))
    return next((norms for norms in found if norms), [])


def unskipped_norms(network: nn.Module) -> Iterator[nn.Module]:
    """Those right before a rectifier, in blocks that nothing skips around."""
    block: Any
    for block in units(network):
        if is_called(block, "Block") and not block.skip:
            for module in block.modules():
                layers = list(module.children()) if isinstance(module, nn.Sequential) else []
                yield from (a for a, b in pairwise(layers) if _is_rectified(a, b))


def _is_rectified(layer: nn.Module, following: nn.Module) -> bool:
    return isinstance(layer, Norm) and isinstance(following, RECTIFIERS)


def gate_layers(network: nn.Module) -> Iterator[nn.Module]:
    """The last convolution of each squeeze-excite: what says how far each map's gate is open."""
    module: Any
    for module in network.modules():
        if is_called(module, "SqueezeExcite"):
            yield module.expand


def classifier(network: nn.Module) -> list[nn.Module]:
    """The linear layers, or the last convolution if there are none; the last gives the logits."""
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [*linear] or list(weighted(network))[-1:]


def weighted(network: nn.Module) -> Iterator[nn.Module]:
    """Its convolutions and linear layers in their order."""
    return (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear))
