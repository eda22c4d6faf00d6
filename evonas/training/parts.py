"""What a network consists of, whether evonas built it or the source that evonas exported.

Exported source has copies of the classes in `evonas.models`: modules are told by their names.
"""

from collections.abc import Iterator

from torch import nn

from evonas.models.blocks import BLOCKS
from evonas.networks.stages import IDENTITY

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


def classifier(network: nn.Module) -> list[nn.Module]:
    """The linear layers, or the last convolution if there are none; the last gives the logits."""
    linear = [module for module in network.modules() if isinstance(module, nn.Linear)]
    return [*linear] or list(weighted(network))[-1:]


def weighted(network: nn.Module) -> Iterator[nn.Module]:
    """Its convolutions and linear layers in their order."""
    return (m for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear))
