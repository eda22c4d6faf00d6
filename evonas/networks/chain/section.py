"""Layers in a row, with branches that meet again: how LeNet, VGG and Inception are written down.

`layers`, and behind them `head`, are lists. An entry is a layer (see `chain_layers`), a list of
layers, or `{times: 3, layers: [...]}`. Each entry of `layers`, and each repetition, is a part of
the network with a name of its own: `layer_1`, `layer_2`, ...; the head is the last part. A chain
has all its strides at every scale: `smallest_map_px` does not change it.
"""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evonas.errors import BuildError
from evonas.networks.chain import layer_words as chain
from evonas.networks.chain.layer_words import Layer, Shape, TooSmall
from evonas.networks.grammar import Words, with_defaults, without_defaults
from evonas.networks.scale import Scale, round8

LISTS = ("layers", "head")
LARGEST_PX = 1024  # inputs beyond are not looked at for the smallest that would do


def part_name(index: int) -> str:
    """The name of a part in front of the head, counted from 0."""
    return f"layer_{index + 1}"


def short(network: Mapping[str, Any]) -> dict[str, Any]:
    """See `networks.short`."""
    short = without_defaults(network)
    entries = [network[key] for key in LISTS]
    kept = _each_layer(entries, lambda layer: _short_layer(layer, network))
    return {**short, **dict(zip(LISTS, kept, strict=True))}


def _short_layer(layer: Layer, network: Mapping[str, Any]) -> dict[str, Any]:
    """The layer without keys that change nothing."""
    short = dict(layer)
    for key in chain.DEFAULTS[chain.word_of(layer)]:
        rest = {name: value for name, value in short.items() if name != key}
        if key in short and chain.filled(rest, network) == chain.filled(layer, network):
            short = rest
    return short


def _each_layer(entry: Any, change: Any) -> Any:
    """An entry with all layers in it, also those of branches, changed."""
    if isinstance(entry, list):
        return [_each_layer(each, change) for each in entry]
    if chain.TIMES in entry:
        return {**entry, chain.REPEATED: _each_layer(entry[chain.REPEATED], change)}
    inner = {word: _each_layer(entry[word], change) for word in chain.BRANCHED if word in entry}
    return change({**entry, **inner})


def _groups(entries: Sequence[Any], depth: float = 1.0) -> Iterator[list[Layer]]:
    """A list of layers for each entry and each repetition, also in branches."""
    for entry in entries:
        if isinstance(entry, list):
            yield _row(entry, depth)
        elif chain.TIMES in entry:
            for _ in range(math.ceil(entry[chain.TIMES] * depth)):
                yield _row(entry[chain.REPEATED], depth)
        else:
            rows = {w: [_row(row, depth) for row in entry[w]] for w in chain.BRANCHED if w in entry}
            yield [{**entry, **rows}]


def _row(entries: Sequence[Any], depth: float = 1.0) -> list[Layer]:
    return [layer for group in _groups(entries, depth) for layer in group]


def scaled(network: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    """Groups of filled layers, with numbers in place of all words for channels."""
    groups = [
        [chain.filled(layer, network) for layer in group]
        for group in [*_groups(network["layers"], scale.depth), _row(network["head"], scale.depth)]
    ]
    try:
        *layers, head = _sized(groups, scale, scale.resolution_px)
    except TooSmall as error:
        raise BuildError(f"{error}{_smallest(groups, scale)}") from None
    return {**network, "layers": layers, "head": head}


def _smallest(groups: Sequence[Sequence[Layer]], scale: Scale) -> str:
    """Which input would do, if this one is only too small."""
    for resolution_px in range(scale.resolution_px + 1, LARGEST_PX + 1):
        try:
            _sized(groups, scale, resolution_px)
        except BuildError:
            continue
        return (
            f" The input has {scale.resolution_px} px; the smallest that works is "
            f"{resolution_px} px."
        )
    return ""


def _sized(
    groups: Sequence[Sequence[Layer]], scale: Scale, resolution_px: int
) -> list[list[dict[str, Any]]]:
    shape: Shape = (scale.input_channels, resolution_px, resolution_px)
    found = []
    for index, group in enumerate(groups):
        name = part_name(index) if index < len(groups) - 1 else "head"
        try:
            sized, shape = _sized_row(group, shape, scale)
        except BuildError as error:
            raise type(error)(f"{name}, {error}") from None
        found.append(sized)
    if groups[-1] and shape != (scale.classes,):  # a backbone has no head
        raise BuildError(
            f"head: it ends with {chain.shown(shape)}, not with a logit for each of "
            f"{scale.classes} classes. "
            "End it with {linear: classes}, or with {conv: classes, kernel: 1} and "
            "{global_pool: average}."
        )
    return found


def _sized_row(
    layers: Sequence[Layer], shape: Shape, scale: Scale
) -> tuple[list[dict[str, Any]], Shape]:
    sized = []
    for layer in layers:
        try:
            sized.append(_sized_layer(layer, shape, scale))
            shape = chain.shape_after(sized[-1], shape)
        except BuildError as error:
            raise type(error)(f"{chain.word_of(layer)}: {error}") from None
    return sized, shape


def _sized_layer(layer: Layer, shape: Shape, scale: Scale) -> dict[str, Any]:
    word = chain.word_of(layer)
    if word in chain.BRANCHED:
        rows = [_sized_row(row, shape, scale)[0] for row in layer[word]]
        if word != "concat" and scale.width != 1:
            rows = agreeing(rows, shape)
        return {**layer, word: rows}
    sized = dict(layer)
    if word in ("conv", "linear"):
        sized[word] = _channels(layer[word], shape, scale)
    if sized.get("groups") == chain.DEPTHWISE:
        sized["groups"] = shape[0]
    return sized


def _channels(channels: Any, shape: Shape, scale: Scale) -> int:
    """Channels at this scale: as written at width 1, else multiples of 8."""
    words = {chain.CLASSES: scale.classes, chain.INPUT: shape[0]}
    if channels in words:
        return words[channels]
    return int(channels) if scale.width == 1 else round8(channels * scale.width)


def agreeing(rows: list[list[dict[str, Any]]], shape: Shape) -> list[list[dict[str, Any]]]:
    """Branches of a sum end with as many channels as the identity, or as the first of them."""
    given = next((row for row in rows if not row), rows[0])
    channels = chain.row_shape(given, shape)[0]
    return [row if row is given else _ending_with(row, channels) for row in rows]


def _ending_with(row: list[dict[str, Any]], channels: int) -> list[dict[str, Any]]:
    """The branch whose last convolution, unless it is grouped, gives that many channels."""
    dense = [i for i, layer in enumerate(row) if "conv" in layer and layer["groups"] == 1]
    last = max(dense, default=None)
    if last is None:
        return row
    behind = [{**each, **_regrouped(each, channels)} for each in row[last + 1 :]]
    return [*row[:last], {**row[last], "conv": channels}, *behind]


def _regrouped(layer: Layer, channels: int) -> dict[str, Any]:
    """A depthwise convolution behind a changed one has its channels."""
    if "conv" not in layer or layer["groups"] != layer["conv"]:
        return {}
    return {"conv": channels, "groups": channels}


def with_classes(network: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """See `networks.with_classes`: the head's last layer with channels gives the logits."""
    head = list(network["head"])
    last = max((i for i, layer in enumerate(head) if {"conv", "linear"} & {*layer}), default=None)
    if last is None:
        raise BuildError(
            "head: no convolution or linear layer of it gives the logits, so it cannot be one of "
            f"{classes} classes. End it with {{linear: classes}}."
        )
    head[last] = {**head[last], chain.word_of(head[last]): classes}
    return {**network, "head": head, "classes": classes}


def meaning(network: Mapping[str, Any]) -> Any:
    """Layer by layer, however they are grouped."""
    rows = _row([*network["layers"], *network["head"]])
    said = (*LISTS, "activation", "norm", "bias")  # each layer says its own
    rest = {key: value for key, value in without_defaults(network).items() if key not in said}
    return {**rest, "layers": [chain.filled(layer, network) for layer in rows]}


def aligned(network: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """With the defaults that the space writes out."""
    aligned = with_defaults(network, template)
    for key in LISTS:
        aligned[key] = _aligned_entry(network[key], template.get(key), network)
    return aligned


def _aligned_entry(entry: Any, place: Any, network: Mapping[str, Any]) -> Any:
    if isinstance(entry, list):
        if not isinstance(place, list) or len(entry) != len(place):
            return entry
        return [_aligned_entry(*pair, network) for pair in zip(entry, place, strict=True)]
    if not isinstance(place, Mapping):
        return entry
    inner = [key for key in (chain.REPEATED, *chain.BRANCHED) if key in entry]
    aligned = {key: _aligned_entry(entry[key], place.get(key), network) for key in inner}
    full = {} if chain.TIMES in entry else chain.filled(entry, network)
    missing = {key: full[key] for key in place if key in full and key not in entry}
    return {**entry, **missing, **aligned}


def words(network: Mapping[str, Any]) -> list[Words]:
    """The kinds of layers, counted, whatever their width and place; and pairs of neighbours."""
    rows = _row([*network["layers"], *network["head"]])
    kinds = [kind for layer in rows for kind in _kinds(layer)]
    pairs = zip(["input", *kinds], [*kinds, "logits"], strict=True)
    return [Counter(kinds), Counter(" > ".join(pair) for pair in pairs)]


def _kinds(layer: Layer) -> Iterator[str]:
    word = chain.word_of(layer)
    if word in chain.BRANCHED:
        yield f"{word} of {len(layer[word])}"
        for row in layer[word]:
            for inner in row:
                yield from _kinds(inner)
    else:
        told = [f"{key} {layer[key]}" for key in ("kernel", "stride") if key in layer]
        yield " ".join([word, *told])
