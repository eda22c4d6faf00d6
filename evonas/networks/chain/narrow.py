"""Chains with fewer channels: what pruning makes of a scaled section."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.errors import BuildError
from evonas.networks.chain import layer_words as chain
from evonas.networks.chain.layer_words import Layer, Shape
from evonas.networks.chain.section import agreeing
from evonas.networks.shares import one_share, without_share

Row = list[dict[str, Any]]


def narrowed(network: Mapping[str, Any], shares: Sequence[float]) -> dict[str, Any]:
    """See `networks.narrowed`; what gives the logits stays as wide."""
    share = one_share(shares)
    before: Shape = tuple(network["input"])
    after = before
    layers = []
    for row in network["layers"]:
        layers.append(_narrowed_row(row, before, after, share))
        before, after = chain.row_shape(row, before), chain.row_shape(layers[-1], after)
    head = []
    if network["head"]:  # a backbone has none
        *inner, logits = _at_logits(network["head"])
        head = [*_narrowed_row(inner, before, after, share), *logits]
    return {**network, "layers": layers, "head": head}


def _at_logits(head: Sequence[Layer]) -> list[Any]:
    """The layers up to what gives the logits, and a list of that and what is behind it."""
    weighted = [index for index, layer in enumerate(head) if "conv" in layer or "linear" in layer]
    if not weighted:
        raise BuildError("head: it has no layer of its own that gives the logits.")
    return [*head[: weighted[-1]], list(head[weighted[-1] :])]


def _narrowed_row(row: Sequence[Layer], before: Shape, after: Shape, share: float) -> Row:
    """Layers that were given maps of the shape `before` and now are given `after`."""
    narrow: Row = []
    for layer in row:
        narrow.append(_narrowed_layer(layer, before, after, share))
        before, after = chain.shape_after(layer, before), chain.shape_after(narrow[-1], after)
    return narrow


def _narrowed_layer(layer: Layer, before: Shape, after: Shape, share: float) -> dict[str, Any]:
    word = chain.word_of(layer)
    if word in chain.BRANCHED:
        rows = [_narrowed_row(row, before, after, share) for row in layer[word]]
        return {**layer, word: rows if word == "concat" else agreeing(rows, after)}
    if word == "linear":
        return {**layer, word: without_share(layer[word], share)}
    if word != "conv":
        return dict(layer)
    if layer["groups"] == layer["conv"] == before[0]:  # depthwise
        return {**layer, "conv": after[0], "groups": after[0]}
    return {**layer, word: without_share(layer[word], share, math.lcm(8, layer["groups"]))}
