"""The sizes at which a run trains and deploys the designs of a space."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from evonas.networks.scale import STACKS, Scale
from evonas.settings import Settings
from evonas.space.search_space import SearchSpace


def run_scales(
    space: SearchSpace, settings: Settings, data: Mapping[str, Any] | None
) -> tuple[Scale, Scale]:
    """Proxy and full scale for a data set (None: no images); `full.*` settings win."""
    given: dict[str, Any] = {}
    if data:
        given = {"input_channels": data["channels"], "classes": len(data["classes"])}
    full = settings.full
    wanted: dict[str, Any] = {
        "resolution_px": full.resolution_px,
        "width": full.width,
        "filters": full.filters,
        "repeats": None if full.repeats is None else (full.repeats,) * STACKS,
    }
    chosen = {key: value for key, value in wanted.items() if value is not None}
    largest = replace(space.scales["full"], **given, **chosen)
    return (
        replace(space.scales["proxy"], **given),
        largest.compound(full.phi) if full.phi else largest,
    )
