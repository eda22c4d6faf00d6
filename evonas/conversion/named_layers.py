"""Tensors by name as layers: what a convolution, a linear layer or a norm has is one."""

from collections.abc import Mapping
from dataclasses import dataclass

Shape = tuple[int, ...]
Looks = tuple[tuple[str, Shape], ...]

COUNTER = "num_batches_tracked"  # of a norm; old files have none
# How the way around a block's layers is called: in evonas, torchvision, timm and their like.
SHORTCUTS = frozenset(
    (
        *("shortcut", "projection", "downsample", "skip", "skipbn", "identity_conv"),
        *("c1x1_w_s1", "c1x1_w_s2"),
    )
)
AUXILIARY = "aux"  # how parts begin that only a training needs


@dataclass(frozen=True)
class NamedLayer:
    """A layer: its name, and the shapes of its tensors by what they are called in it."""

    name: str
    shapes: Looks

    @property
    def looks(self) -> Looks:
        """Equal for layers that do the same: of 1x1 convolutions and linear ones, too."""
        return tuple((own, _plain(shape)) for own, shape in self.shapes)

    @property
    def sizes(self) -> Looks:
        """Equal for linear layers and convolutions of a whole map, too."""
        return tuple((own, (*shape[:1], _length(shape[1:]))) for own, shape in self.shapes)

    @property
    def is_shortcut(self) -> bool:
        """True if it lies on the way around a block's layers, as far as its name tells."""
        return not SHORTCUTS.isdisjoint(self.name.split("."))

    @property
    def is_auxiliary(self) -> bool:
        """True if only a training needs it, as far as its name tells."""
        return any(part.lower().startswith(AUXILIARY) for part in self.name.split("."))


def layers_of(shapes: Mapping[str, Shape]) -> list[NamedLayer]:
    """The layers, in the order in which their first tensors stand."""
    found: dict[str, dict[str, Shape]] = {}
    for name, shape in shapes.items():
        layer, _, own = name.rpartition(".")
        if own != COUNTER:
            found.setdefault(layer, {})[own] = shape
    return [NamedLayer(name, tuple(sorted(own.items()))) for name, own in found.items()]


def _plain(shape: Shape) -> Shape:
    return shape[:2] if all(length == 1 for length in shape[2:]) else shape


def _length(shape: Shape) -> int:
    length = 1
    for side in shape:
        length *= side
    return length
