"""What each key of a detector may hold."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

from evonas.networks.chain import rules as chain
from evonas.networks.chain.layer_words import OF_FEATURES
from evonas.networks.detector.anchored_heads import GRIDS
from evonas.networks.detector.backbone_forms import form_of
from evonas.networks.detector.heads import HEADS
from evonas.networks.detector.levels import Kind
from evonas.networks.detector.necks import FUSIONS, NECKS
from evonas.networks.detector.refinements import REFINEMENTS
from evonas.networks.detector.ssd_head import NUMBERS_OF_BOXES, RATIOS
from evonas.networks.names import ACTIVATIONS, NORMS
from evonas.networks.rules import COMMON, DROP_PATH, Rules, Ways
from evonas.networks.stages.rules import KERNEL
from evonas.networks.stages.rules import RULES as STAGES
from evonas.networks.value_rules import (
    MOST_CHANNELS,
    Alleles,
    MayBeMissing,
    Problem,
    between,
    one_of,
    one_of_numbers,
    one_of_words,
    true_or_false,
    whole,
)
from evonas.yaml_file import KeyPath

MOST_LEVELS, MOST_DEPTH, MOST_BINS = 6, 16, 64
MOST_ANCHORS = 32  # of a level
MOST_SETTLING = 10**9  # batches


def _across(network: Mapping[str, Any], alleles: Alleles) -> Iterator[Problem]:
    """The backbone's own rules; as many strides as levels; keys that some kind takes."""
    backbone = network.get("backbone")
    if isinstance(backbone, dict):
        inner = partial(_alleles_in, "backbone", alleles)
        name, form = form_of(backbone)
        found = [*form.grammar.rules.across(backbone, inner), *_ended_maps(backbone)]
        yield from ((("backbone", *path), problem) for path, problem in found)
        yield from _missing_strides(network, name, STRIDED[name](backbone, inner), alleles)
        if name == "chain" and "drop_path" in network:
            yield ("drop_path",), "a backbone of layers has no paths to drop. Leave it out."
    yield from _idle_keys(network, "neck", NECKS, alleles)
    yield from _idle_keys(network, "head", HEADS, alleles)


def _alleles_in(section: str, alleles: Alleles, path: KeyPath, value: Any) -> list[Any]:
    return alleles((section, *path), value)


def _ended_maps(backbone: Mapping[str, Any]) -> Iterator[Problem]:
    """No level could be behind a layer of features."""
    for path, word in chain.words_at(backbone.get("layers"), ("layers",)):
        if word in OF_FEATURES:
            yield (*path, word), "a backbone is of maps, and this layer ends them. Leave it out."


def _missing_strides(
    network: Mapping[str, Any], form: str, strided: int, alleles: Alleles
) -> Iterator[Problem]:
    """Each level has a stride of its own, whatever the genes choose."""
    levels = [n for n in alleles(("levels",), network.get("levels")) if type(n) is int]
    if levels and max(levels) > strided + 1:
        what = "layers" if form == "chain" else form
        yield (
            ("levels",),
            f"the {what} have maps of {strided + 1} strides, and {max(levels)} are asked for. "
            f"Write at most {strided + 1}, or give more {what} a stride above 1.",
        )


def _strided_stages(backbone: Mapping[str, Any], alleles: Alleles) -> int:
    """Stages behind the first that have a stride, whatever the genes choose."""
    stages, strided = backbone.get("stages"), 0
    for index, stage in enumerate(stages[1:] if isinstance(stages, list) else (), 1):
        stride = stage.get("stride") if isinstance(stage, dict) else None
        strides = alleles(("stages", index, "stride"), stride)
        strided += all(type(each) is int and each > 1 for each in strides)
    return strided


# How many strides a backbone has at least, beside that of its first map.
STRIDED: Mapping[str, Callable[[Mapping[str, Any], Alleles], int]] = {
    "stages": _strided_stages,
    "chain": lambda backbone, alleles: chain.surely_strided(
        backbone.get("layers"), ("layers",), alleles
    ),
}


def _idle_keys(
    network: Mapping[str, Any], section: str, kinds: Mapping[str, Kind], alleles: Alleles
) -> Iterator[Problem]:
    """A key is taken by one of the kinds that may be chosen."""
    values = network.get(section)
    if not isinstance(values, dict) or "kind" not in values:
        return
    chosen = [kind for kind in alleles((section, "kind"), values["kind"]) if kind in kinds]
    taken = {key for kind in chosen for key in kinds[kind].keys}
    known = {key for kind in kinds.values() for key in kind.keys}
    for key in values:
        if chosen and key in known - taken:
            takers = [name for name, kind in kinds.items() if key in kind.keys]
            yield (
                (section, key),
                f"a {section} of kind {' or '.join(chosen)} takes no {key}. Leave it out, or "
                f"write kind: {' or '.join(takers)}.",
            )


_number_of_boxes = one_of_numbers("a number of boxes in a cell", *RATIOS)


def _boxes(value: Any) -> str | None:
    """A number, one for each level, or the name of published ones."""
    if isinstance(value, str):
        return one_of(NUMBERS_OF_BOXES, "number of boxes")(value)
    values = value if isinstance(value, list) and value else [value]
    return next((problem for each in values if (problem := _number_of_boxes(each))), None)


def _scales(value: Any) -> str | None:
    ends = value if isinstance(value, list) and len(value) == 2 else [0]
    is_right = all(isinstance(end, int | float) and 0 < end <= 1 for end in ends)
    if is_right and ends[0] <= ends[-1]:
        return None
    return f"{value} are no scales. Write two shares of the side in order, as in [0.2, 0.9]."


def _backbone_keys(backbone: Mapping[str, Any]) -> dict[str, Any]:
    _, form = form_of(backbone)
    return {
        "activation": MayBeMissing(one_of_words("activation", *ACTIVATIONS)),
        "norm": MayBeMissing(one_of_words("norm", *NORMS)),
        **{key: form.grammar.rules.keys[key] for key in form.keys},
    }


def _sizes(value: Any) -> str | None:
    """Widths and heights of anchors, or none."""
    is_right = isinstance(value, list) and all(map(_is_size, value))
    wanted = "a list of anchors. Write [width, height] of each in px, both above 0"
    return None if is_right else f"{value} is not {wanted}."


def _is_size(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(_is_side(each) for each in value)


def _is_side(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 < value <= MOST_CHANNELS


_sensitivity = between(1, 2, "a grid sensitivity")


def _sensitivities(value: Any) -> str | None:
    """A number, one for each level, or the name of published ones."""
    if isinstance(value, str):
        return one_of(GRIDS, "grid sensitivity")(value)
    values = value if isinstance(value, list) and value else [value]
    return next((problem for each in values if (problem := _sensitivity(each))), None)


_DEPTH = MayBeMissing(whole(0, "a number of blocks", most=MOST_DEPTH))
_BLOCKS = {
    "depth": _DEPTH,
    "kernel": MayBeMissing(KERNEL),
    "depthwise": MayBeMissing(true_or_false),
}
_SWITCHES = ("spp", "rfb", "compress", "partial", *REFINEMENTS)
KEYS: Mapping[str, Any] = {
    **COMMON,
    **DROP_PATH,
    "backbone": Ways(_backbone_keys),
    "levels": whole(1, "a number of levels", most=MOST_LEVELS),
    "neck": {
        "valid": MayBeMissing(whole(0, "a number of levels", most=MOST_DEPTH)),
        "l2_norm": MayBeMissing(true_or_false),
        "kind": MayBeMissing(one_of(NECKS, "neck")),
        "width": whole(1, "a number of channels"),
        "fusion": MayBeMissing(one_of_words("fusion", *FUSIONS)),
        **_BLOCKS,
        **dict.fromkeys(_SWITCHES, MayBeMissing(true_or_false)),
    },
    "head": {
        "kind": MayBeMissing(one_of(HEADS, "head")),
        **_BLOCKS,
        "bins": MayBeMissing(whole(1, "a number of bins", most=MOST_BINS)),
        "one_to_one": MayBeMissing(true_or_false),
        "anchors": MayBeMissing(whole(1, "a number of anchors", most=MOST_ANCHORS)),
        "anchor_sizes": MayBeMissing(_sizes),
        "grid_sensitivity": MayBeMissing(_sensitivities),
        "settling": MayBeMissing(whole(0, "a number of batches", most=MOST_SETTLING)),
        "boxes": MayBeMissing(_boxes),
        "scales": MayBeMissing(_scales),
    },
}

RULES = Rules(KEYS, STAGES.owners, _across)
