"""How large a network of a blueprint is: small to be trained, full to be deployed."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from evonas.blueprint import Blueprint, key_of
from evonas.errors import BuildError
from evonas.registry import pick
from evonas.space.canonical import canonical_network


@dataclass(frozen=True)
class Scale:
    """One size at which a blueprint is built.

    `width` multiplies the channels (MobileNet, arXiv 1704.04861, section 3.3), `depth` the layers
    of each stage, rounded up (EfficientNet, arXiv 1905.11946, section 3.3); strides are dropped
    from the end until the last map has at least `smallest_map_px` pixels a side.
    """

    name: str
    resolution_px: int
    width: float = 1.0
    depth: float = 1.0
    smallest_map_px: int = 1
    input_channels: int = 3
    classes: int = 10

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        return (self.input_channels, self.resolution_px, self.resolution_px)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, in the order of the fields."""
        return asdict(self)


def scaled_network(blueprint: Blueprint, scale: Scale) -> dict[str, Any]:
    """The network section with every channel count and stride as it is built at this scale.

    Raises:
        BuildError: The strides leave nothing of the input.
    """
    scaling = pick(SCALINGS, str(blueprint.network["builder"]), "builder")
    network, _ = canonical_network(scaling(dict(blueprint.network), scale))
    return {"input": list(scale.input_shape), "classes": scale.classes, **network}


def network_key(blueprint: Blueprint, scale: Scale) -> str:
    """Equal for designs that are the same network at this scale, whatever else differs."""
    return key_of(scaled_network(blueprint, scale))


def round8(channels: float) -> int:
    """The nearest multiple of 8 that loses at most a tenth (MobileNetV2's reference code).

    >>> [round8(c) for c in (4, 18, 20, 60)]
    [8, 24, 24, 64]
    """
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded


def _scale_stages(network: dict[str, Any], scale: Scale) -> dict[str, Any]:
    strides = [network["stem"]["stride"], *(stage["stride"] for stage in network["stages"])]
    strides = _affordable_strides(strides, scale)
    stem = {**network["stem"], "stride": strides[0]}
    stem["channels"] = _widened(stem["channels"], scale)
    stages = [
        {
            **stage,
            "layers": math.ceil(stage["layers"] * scale.depth),
            "stride": stride,
            "channels": _widened(stage["channels"], scale),
        }
        for stage, stride in zip(network["stages"], strides[1:], strict=True)
    ]
    head = dict(network["head"])
    if not head.pop("fixed", False):
        head |= {key: _widened(head[key], scale) for key in ("channels", "hidden") if head.get(key)}
    return {**network, "stem": stem, "stages": stages, "head": head}


def _widened(channels: int, scale: Scale) -> int:
    """Channels at this scale: as written at width 1, else multiples of 8."""
    return channels if scale.width == 1 else round8(channels * scale.width)


def _affordable_strides(strides: list[int], scale: Scale) -> list[int]:
    """Keeps strides from the input on while the map stays large enough."""
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


SCALINGS: Mapping[str, Callable[[dict[str, Any], Scale], dict[str, Any]]] = {
    "stages": _scale_stages,
}
