"""What a network consists of, whether evonas built it or the source that evonas exported.

Exported source has copies of the classes in `evonas.models`. What a module is, it says itself by
its `role`, which is part of that source:

- `block`: layers in a row that may be skipped around; `residual`: a branch added to what it is
  given; `cell`; `unit`: another block. All of these are units. What they add is `residual_branch`;
- `fusion`: what makes maps of several levels of a detector one; `prediction`: the last layer of its
  head;
- `gate`: squeeze-excite; `drop_path`; `passing`: an operation of a cell without a kernel;
- `concat`, `sum`, `weighted_sum`: branches; `features`: channels and pixels become one axis.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from torch import nn

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
# The parts of a detector that a classifier has too, whole or in pieces.
BACKBONE = re.compile(r"stem|stage_\d+|layer_\d+(_\d+)?")
UNITS = ("block", "residual", "cell", "unit")


def has_role(module: nn.Module, *roles: str) -> bool:
    """True if the module is one of these."""
    return getattr(module, "role", None) in roles


def parts(network: nn.Module) -> list[tuple[str, nn.Module]]:
    """The parts of a network with their names, from the input to the classifier.

    Those of its plan: `stem, stage_1, ..., head`; each cell is one. All that is behind the backbone
    of a detector is the last, since its branches lie beside each other.
    """
    found = list(network.named_children())
    if not is_detector(network):
        return found
    behind = nn.ModuleList(part for name, part in found if not BACKBONE.fullmatch(name))
    backbone = [(name, part) for name, part in found if BACKBONE.fullmatch(name)]
    return [*backbone, ("neck and head", behind)]


def is_detector(network: nn.Module) -> bool:
    """True if its outputs are those of a detector's head."""
    return any(has_role(module, "prediction") for module in network.modules())


def untransferred(network: nn.Module) -> list[nn.Module]:
    """What even a network of known features has to learn: the classifier, or neck and head."""
    return [parts(network)[-1][1]] if is_detector(network) else classifier(network)


def units(network: nn.Module) -> list[nn.Module]:
    """The blocks and cells, from the input on; blocks that only pass maps on are none."""
    return [module for module in network.modules() if has_role(module, *UNITS)]


def residual_branch(unit: nn.Module) -> nn.Module | None:
    """What a block adds to what it is given, or to a shortcut; None if there is no such thing."""
    branch: nn.Module | None = getattr(unit, "residual_branch", None)
    return branch


def residual_branches(network: nn.Module) -> Iterator[nn.Module]:
    """Those of all blocks, and of sums in chains: the branches beside one without layers."""
    module: Any
    for module in network.modules():
        if has_role(module, "sum"):
            filled = [branch for branch in module.branches if list(branch.children())]
            yield from filled if len(filled) < len(module.branches) else []
        elif (branch := residual_branch(module)) is not None:
            yield branch


def last_norms(module: Any) -> list[nn.Module]:
    """The last norm of layers in a row; of parallel ones that of each, in their order."""
    if isinstance(module, Norm):
        return [module]
    if has_role(module, "concat", "sum"):
        return [norm for branch in module.branches for norm in last_norms(branch)]
    found = (last_norms(child) for child in reversed(list(module.children())))
    return next((norms for norms in found if norms), [])


def unskipped_norms(network: nn.Module) -> Iterator[nn.Module]:
    """Those right before a rectifier, in blocks that nothing skips around."""
    block: Any
    for block in units(network):
        if has_role(block, "block") and not block.skip:
            for module in block.modules():
                layers = list(module.children()) if isinstance(module, nn.Sequential) else []
                yield from (a for a, b in pairwise(layers) if _is_rectified(a, b))


def _is_rectified(layer: nn.Module, following: nn.Module) -> bool:
    return isinstance(layer, Norm) and isinstance(following, RECTIFIERS)


def gate_layers(network: nn.Module) -> Iterator[nn.Module]:
    """The last convolution of each squeeze-excite: what says how far each map's gate is open."""
    module: Any
    for module in network.modules():
        if has_role(module, "gate"):
            yield module.expand


def classifier(network: nn.Module) -> list[nn.Module]:
    """The linear layers, or the last convolution if there are none; the last gives the logits."""
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [*linear] or list(weighted(network))[-1:]


def weighted(network: nn.Module) -> Iterator[nn.Module]:
    """Its convolutions and linear layers in their order."""
    return (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear))
