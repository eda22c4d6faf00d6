"""What each key of a network of stages may hold."""

from collections.abc import Iterator, Mapping
from typing import Any

from evonas.networks import value_rules as rule
from evonas.networks.names import ACTIVATIONS
from evonas.networks.rules import COMMON, DROP_PATH, Rules
from evonas.networks.stages.blocks import BLOCKS
from evonas.networks.stages.section import ORDERS, SKIPS
from evonas.networks.value_rules import MOST_LAYERS, MOST_PIXELS, Alleles, MayBeMissing, Problem

MOST_COLUMNS = 12  # of a fractal, whose longest has two to their number, halved, layers
CHANNELS = rule.whole(1, "a number of channels")
KERNEL = rule.whole(1, "a kernel that keeps the map's size", odd=True, most=MOST_PIXELS - 1)
STRIDE = rule.whole(1, "a stride", most=MOST_PIXELS)


def _stages_across(network: Mapping[str, Any], alleles: Alleles) -> Iterator[Problem]:
    """Blocks whose middle nothing can replace have one; layers have an end."""
    stages = network.get("stages")
    layers = 0
    for index, stage in enumerate(stages if isinstance(stages, list) else ()):
        if not isinstance(stage, dict):
            continue
        path = ("stages", index)
        counts = alleles((*path, "layers"), stage.get("layers"))
        layers += max((count for count in counts if type(count) is int), default=0)
        if layers > MOST_LAYERS:
            yield (*path, "layers"), rule.too_many_layers(layers)
            return
        operations = alleles((*path, "operation"), stage.get("operation"))
        for operation in operations:
            block = BLOCKS.get(operation) if isinstance(operation, str) else None
            key = block.needs if block else None
            if key is not None and 0 in alleles((*path, key), stage.get(key)):
                yield (*path, key), f"{operation} needs a {key} above 0."


KEYS: Mapping[str, Any] = {
    **COMMON,
    **DROP_PATH,
    "stem": {
        "channels": rule.whole(0, "a number of channels"),  # 0: no stem
        "kernel": KERNEL,
        "stride": STRIDE,
        "pool": MayBeMissing(rule.one_of_words("pool", "none", "max", "average")),
        "deep": MayBeMissing(rule.true_or_false),
        "bare": MayBeMissing(rule.true_or_false),
    },
    "stages": [
        {
            "operation": rule.one_of(BLOCKS, "operation"),
            "expansion": rule.expansion,
            "linear": MayBeMissing(rule.true_or_false),
            "activation": MayBeMissing(rule.one_of_words("activation", *ACTIVATIONS)),
            "kernel": KERNEL,
            "se_ratio": rule.fraction,
            "skip": rule.one_of_words("skip", *SKIPS),
            "mid_ratio": rule.multiple,
            "mid_growths": rule.multiple,
            "groups": MayBeMissing(rule.whole(1, "a number of groups")),
            "radix": MayBeMissing(rule.whole(0, "a radix", most=64)),
            "order": MayBeMissing(rule.one_of_words("order", *ORDERS)),
            "stride_place": MayBeMissing(rule.one_of_words("stride_place", "first", "middle")),
            "shortcut": MayBeMissing(
                rule.one_of_words("shortcut", "projection", "average", "padded")
            ),
            "growth": rule.whole(1, "a number of channels that a layer adds"),
            "compression": MayBeMissing(rule.share),
            "dropout": MayBeMissing(rule.probability),
            "stacked": MayBeMissing(rule.true_or_false),
            "columns": rule.whole(1, "a number of columns", most=MOST_COLUMNS),
            "csp": MayBeMissing(rule.fraction),
            "csp_linear": MayBeMissing(rule.true_or_false),
            "channels": CHANNELS,
            "layers": rule.whole(1, "a number of layers", most=MOST_LAYERS),
            "stride": STRIDE,
        }
    ],
    "head": {
        "channels": rule.whole(0, "a number of channels"),
        "hidden": MayBeMissing(rule.whole(0, "a number of neurons")),
        "fixed": MayBeMissing(rule.true_or_false),
        "pool": MayBeMissing(rule.one_of_words("pool", "average", "max", "pyramid")),
    },
    "attention": MayBeMissing(
        {
            "base": rule.one_of_words("base", "input", "expanded"),
            "activation": rule.one_of_words("activation", *ACTIVATIONS),
            "gate": rule.one_of_words("gate", *ACTIVATIONS),
            "round8": rule.true_or_false,
        }
    ),
}


def _owners() -> dict[str, tuple[str, ...]]:
    keys = dict.fromkeys(key for block in BLOCKS.values() for key in block.keys)
    return {key: tuple(b for b, block in BLOCKS.items() if key in block.keys) for key in keys}


RULES = Rules(KEYS, _owners(), _stages_across)
