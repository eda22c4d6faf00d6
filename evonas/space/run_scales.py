"""The sizes at which a run trains and deploys the designs of a space."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evonas.networks.scale import STACKS, Scale
from evonas.settings import FullSettings, Settings
from evonas.space.search_space import SearchSpace

# Of a scale, as keys of `full.*`, which has `phi` on top of them.
SIZES = ("resolution_px", "width", "filters", "repeats", "stem", "stem_channels", "far_input")


def run_scales(
    space: SearchSpace, settings: Settings, data: Mapping[str, Any] | None
) -> tuple[Scale, Scale]:
    """Proxy and full scale for a data set (None: no images); `full.*` settings win."""
    given: dict[str, Any] = {}
    if data:
        given = {"input_channels": data["channels"], "classes": len(data["classes"])}
    return (
        replace(space.scales["proxy"], **given),
        resized(replace(space.scales["full"], **given), settings.full),
    )


def resized(scale: Scale, full: FullSettings) -> Scale:
    """The scale with what the settings say of its size."""
    wanted = {key: getattr(full, key) for key in SIZES}
    if full.repeats is not None:
        wanted["repeats"] = (full.repeats,) * STACKS
    chosen = {key: value for key, value in wanted.items() if value is not None}
    larger = replace(scale, **chosen)
    return larger.compound(full.phi) if full.phi else larger
