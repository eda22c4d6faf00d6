"""How large a network is: small to be trained in a search, full to be deployed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from evonas.errors import BuildError

# EfficientNet, arXiv 1905.11946, equation 3 and section 5.2: with exponent phi the work grows
# by (DEPTH * WIDTH^2 * RESOLUTION^2)^phi, about 2^phi.
DEPTH, WIDTH, RESOLUTION = 1.2, 1.1, 1.15

STEMS = ("cifar", "imagenet")
STACKS = 3  # of cells: before, between and after the two reductions

# More is a slip, and no machine would build it; `phi` on top of them is held to the same.
LARGEST: Mapping[str, int] = {
    "resolution_px": 8192,
    "width": 64,
    "depth": 64,
    "smallest_map_px": 8192,
    "filters": 2**14,
    "repeats": 1000,
    "stem_channels": 2**14,
    "phi": 20,
}


@dataclass(frozen=True)
class Scale:
    """One size at which a blueprint is built.

    `width` multiplies the channels (MobileNet, arXiv 1704.04861, section 3.3), `depth` the layers
    of each stage, rounded up (EfficientNet, arXiv 1905.11946, section 3.3); strides are dropped
    from the end until the last map has at least `smallest_map_px` pixels a side.

    The rest is for networks of cells (NASNet, arXiv 1707.07012, section 3): `filters` of the
    first cells, which double with each reduction; `repeats`, the normal cells before, between and
    after the two reductions; `stem`: `cifar` keeps the input's size, `imagenet` divides it by 8;
    `stem_channels` (0: as the assembly has it); `far_input`: a cell after a reduction reads the
    cell two before it in place of the one before.
    """

    name: str
    resolution_px: int
    width: float = 1.0
    depth: float = 1.0
    smallest_map_px: int = 1
    input_channels: int = 3
    classes: int = 10
    filters: int = 0
    repeats: tuple[int, ...] = ()
    stem: str = STEMS[0]
    stem_channels: int = 0
    far_input: bool = False

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        return (self.input_channels, self.resolution_px, self.resolution_px)

    def compound(self, phi: float) -> "Scale":
        """This scale times EfficientNet's compound coefficients, each to the power `phi`."""
        return replace(
            self,
            depth=self.depth * DEPTH**phi,
            width=self.width * WIDTH**phi,
            resolution_px=round(self.resolution_px * RESOLUTION**phi),
        )

    def beyond(self) -> list[str]:
        """The fields that are larger than `LARGEST`, each with its value and the largest."""
        numbers = {key: getattr(self, key) for key in LARGEST if key not in ("repeats", "phi")}
        return [
            f"{key} of {number:g}, more than {LARGEST[key]}"
            for key, number in numbers.items()
            if number > LARGEST[key]
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return {**asdict(self), "repeats": list(self.repeats)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Scale":
        """The inverse of `to_dict`."""
        return cls(**{**values, "repeats": tuple(values["repeats"])})


def round8(channels: float) -> int:
    """The nearest multiple of 8 that loses at most a tenth (MobileNetV2's reference code).

    >>> [round8(c) for c in (4, 18, 20, 60)]
    [8, 24, 24, 64]
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def affordable_strides(strides: Sequence[int], scale: Scale) -> list[int]:
    """Keeps strides from the input on while the map stays large enough; drops the others.

    Raises:
        BuildError: The scale drops none, and together they leave nothing of the input.
    """
    kept: list[int] = []
    map_px = scale.resolution_px
    for stride in strides:
        reduced = math.ceil(map_px / stride)
        affordable = reduced >= scale.smallest_map_px
        kept.append(stride if affordable else 1)
        map_px = reduced if affordable else map_px
    if scale.smallest_map_px <= 1 and math.prod(strides) > scale.resolution_px:
        raise BuildError(
            f"A total stride of {math.prod(strides)} leaves nothing of an input of "
            f"{scale.resolution_px} px. Set full.resolution_px to at least {math.prod(strides)}."
        )
    return kept
