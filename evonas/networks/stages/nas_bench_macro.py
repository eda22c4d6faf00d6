"""NAS-Bench-Macro's chain of eight layers, each one of three blocks.

arXiv 2103.11922, section 4.1. Keys `layer0` to `layer7`; built as stages.
"""

from collections.abc import Mapping
from typing import Any

from evonas.networks.grammar import Grammar, Words, as_it_is, with_defaults, without_defaults
from evonas.networks.rules import COMMON, DROP_PATH, Rules
from evonas.networks.scale import Scale
from evonas.networks.stages import section
from evonas.networks.stages.plan import plan_stages
from evonas.networks.stages.section import IDENTITY
from evonas.networks.value_rules import one_of

STEM = {"channels": 32, "kernel": 3, "stride": 1}
SHAPES = tuple((64, stride) for stride in (2, 1))
SHAPES += tuple((channels, stride) for channels in (128, 256) for stride in (2, 1, 1))
HEAD = {"channels": 1280}

LAYERS: Mapping[str, Mapping[str, Any]] = {
    "identity": {"operation": IDENTITY},
    "mb_k3_e3": {"operation": "inverted_residual", "expansion": 3, "kernel": 3},
    "mb_k5_e6": {"operation": "inverted_residual", "expansion": 6, "kernel": 5},
}


def layer_name(index: int) -> str:
    """The key of a layer."""
    return f"layer{index}"


def _as_stages(network: Mapping[str, Any]) -> dict[str, Any]:
    names = {layer_name(index) for index in range(len(SHAPES))}
    rest = {key: value for key, value in network.items() if key not in names}
    stages = [
        {
            **LAYERS[network[layer_name(index)]],
            "se_ratio": 0,
            "skip": "identity" if stride == 1 else "none",
            "channels": channels,
            "layers": 1,
            "stride": stride,
        }
        for index, (channels, stride) in enumerate(SHAPES)
    ]
    return {**rest, "builder": "stages", "stem": STEM, "stages": stages, "head": HEAD}


def scaled(network: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    """See `networks.scaled`."""
    return section.scaled(_as_stages(network), scale)


def meaning(network: Mapping[str, Any]) -> Any:
    """See `networks.meaning`."""
    return section.meaning(_as_stages(network))


def words(network: Mapping[str, Any]) -> list[Words]:
    """See `networks.words`."""
    return section.words(_as_stages(network))


RULES = Rules(
    {
        **COMMON,
        **DROP_PATH,
        **{layer_name(index): one_of(LAYERS, "layer") for index in range(len(SHAPES))},
    }
)
NAS_BENCH_MACRO = Grammar(
    RULES,
    as_it_is,
    without_defaults,
    scaled,
    meaning,
    meaning,
    with_defaults,
    words,
    plan_stages,
)
