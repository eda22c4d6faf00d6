"""At which strides a detector looks, and what its necks and heads are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from evonas.errors import BuildError
from evonas.networks.plan import Layer, Part
from evonas.networks.stages.plan import norm_argument

SPP_KERNELS = (5, 9, 13)  # of YOLOv3-spp


@dataclass(frozen=True)
class Level:
    """A map of one stride.

    `number` counts from 1, the finest. `reads`: the part that gives the map. `px`: its side, where
    that is known.
    """

    number: int
    stride: int
    channels: int
    reads: str
    px: int = 0

    def behind(self, part: Part, channels: int) -> "Level":
        """The same level where a part has made so many channels of it."""
        return replace(self, channels=channels, reads=part.name)


Planned = tuple[list[Part], Sequence[Level]]  # what a neck makes: parts, and what they give
DEPLOYED = ("boxes", "scores")


class Outputs(NamedTuple):
    """The parts that leave the network in a training, and deployed."""

    trained: tuple[str, ...]
    deployed: tuple[str, ...] = DEPLOYED


@dataclass(frozen=True)
class Tap:
    """A map of a backbone that a level may be.

    `px`: its side. `place`: of what gives it in the backbone as it is written.
    """

    stride: int
    px: int
    channels: int
    place: tuple[int, ...]


@dataclass(frozen=True)
class Kind:
    """A kind of neck or of head.

    Attributes:
        keys: What it takes beside what all kinds take.
        of_depth: The keys among them that change nothing at depth 0.
        plan: From the scaled section of the network and the levels that it is given to its parts
            and what it gives: levels of a neck, outputs of a head.
        any_size: Of a neck that brings no level to the size of another: an input may have any side.
    """

    keys: tuple[str, ...]
    of_depth: tuple[str, ...]
    plan: Callable[[Mapping[str, Any], Sequence[Level]], tuple[list[Part], Any]]
    any_size: bool = False

    def tidied(
        self, section: Mapping[str, Any], every: Sequence[str], defaults: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A section without keys that change nothing, `every` kind's own excepted."""
        idle = self.of_depth if not section.get("depth", defaults["depth"]) else ()
        taken = ("kind", *every, *(key for key in self.keys if key not in idle))
        return {key: section[key] for key in section if key in taken}


def convolution(
    network: Mapping[str, Any], given: int, made: int, kernel: int = 1, stride: int = 1
) -> Layer:
    """A convolution with norm and activation."""
    shape = {"in_channels": given, "out_channels": made, "kernel": kernel, "stride": stride}
    how = {"activation": network["activation"], **norm_argument(network)}
    return Layer("ConvNormActivation", {**shape, **how})


def block(
    network: Mapping[str, Any],
    section: Mapping[str, Any],
    width: int,
    stride: int = 1,
    made: int | None = None,
) -> Layer:
    """What a neck or a head repeats: a convolution of a width, or a depthwise one.

    It keeps the width where no other is to be made.
    """
    made, kernel = made or width, section["kernel"]
    if not section["depthwise"]:
        return convolution(network, width, made, kernel, stride)
    shape = {"in_channels": width, "out_channels": made, "kernel": kernel, "stride": stride}
    how = {"activation": network["activation"], "linear": False, **norm_argument(network)}
    return Layer("DepthwiseSeparable", {**shape, **how})


def further(network: Mapping[str, Any], given: int, made: int) -> list[Layer]:
    """What lets the coarsest map see further, if the neck says so: `rfb` in place of `spp`."""
    if network["neck"]["rfb"]:
        shape = {"in_channels": given, "out_channels": made}
        how = {"activation": network["activation"], **norm_argument(network)}
        return [Layer("ReceptiveFieldBlock", {**shape, **how})]
    return pooled(network, given, made) if network["neck"]["spp"] else []


def pooled(network: Mapping[str, Any], given: int, made: int) -> list[Layer]:
    """Maxima at several kernels beside the maps themselves, all mixed (yolov3-spp.cfg)."""
    pools = Layer("PoolPyramid", {"kernels": list(SPP_KERNELS)})
    return [pools, convolution(network, given * (1 + len(SPP_KERNELS)), made)]


def by_level(
    key: str, value: Any, levels: int, published: Mapping[str, Sequence[float]]
) -> list[Any]:
    """A number of a head for each level, the finest first.

    Args:
        value: A number for all levels, a list of theirs, or a name of `published` ones, of which
            the last holds for further levels.

    Raises:
        BuildError: The list has another length.
    """
    if isinstance(value, str):
        return [published[value][min(level, len(published[value]) - 1)] for level in range(levels)]
    values = [*value] if isinstance(value, list | tuple) else [value] * levels
    if len(values) != levels:
        raise BuildError(
            f"head.{key} has {len(values)} numbers, and there are {levels} levels. Write one for "
            "each, the finest first, or one for all."
        )
    return values
