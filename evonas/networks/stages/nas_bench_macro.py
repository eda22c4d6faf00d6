"""NAS-Bench-Macro's chain of eight layers, each one of three blocks.

arXiv 2103.11922, section 4.1. Keys `layer0` to `layer7`; built as stages.
"""

from collections.abc import Mapping
from typing import Any

from evonas.networks.grammar import Grammar, as_it_is, with_defaults, without_defaults
from evonas.networks.rules import COMMON, DROP_PATH, Rules
from evonas.networks.stages import STAGES
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


NAMES = tuple(f"layer{index}" for index in range(len(SHAPES)))


def _as_stages(network: Mapping[str, Any]) -> dict[str, Any]:
    rest = {key: value for key, value in network.items() if key not in NAMES}
    stages = [
        {
            **LAYERS[network[name]],
            "se_ratio": 0,
            "skip": "identity" if stride == 1 else "none",
            "channels": channels,
            "layers": 1,
            "stride": stride,
        }
        for name, (channels, stride) in zip(NAMES, SHAPES, strict=True)
    ]
    return {**rest, "builder": "stages", "stem": STEM, "stages": stages, "head": HEAD}


def _meaning(network: Mapping[str, Any]) -> Any:
    return STAGES.meaning(_as_stages(network))


NAS_BENCH_MACRO = Grammar(
    Rules({**COMMON, **DROP_PATH, **dict.fromkeys(NAMES, one_of(LAYERS, "layer"))}),
    tidied=as_it_is,
    short=without_defaults,
    scaled=lambda network, scale: STAGES.scaled(_as_stages(network), scale),
    meaning=_meaning,
    built_meaning=_meaning,
    aligned=with_defaults,
    words=lambda network: STAGES.words(_as_stages(network)),
    plan=STAGES.plan,
    narrowed=STAGES.narrowed,
    shallower=STAGES.shallower,
)
