"""Published networks at other inputs and with other classes."""

import re
from dataclasses import replace

from evonas.errors import BuildError
from evonas.networks import Scale
from evonas.presets import Preset


def sized(found: Preset, shape: str | None = None, classes: int | None = None) -> Preset:
    """The published network at another input (`3x96x96`), or with so many classes.

    None leaves what was published.

    Raises:
        BuildError: The shape is no square input.
    """
    scale = found.scale if shape is None else _at_shape(found.scale, shape)
    return replace(found, scale=replace(scale, classes=classes or scale.classes))


def _at_shape(scale: Scale, shape: str) -> Scale:
    found = re.fullmatch(r"(\d+)x(\d+)x\2", shape)
    if found is None or "0" in found.groups():
        raise BuildError(f'--input: "{shape}" is no square input. Write CxHxW as in 3x96x96.')
    channels, side = (int(length) for length in found.groups())
    return replace(scale, input_channels=channels, resolution_px=side)
