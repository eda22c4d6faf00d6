"""Which layers of a file are which of a network: by order, shape and role."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from evonas.conversion.named_layers import NamedLayer

Layers = Sequence[NamedLayer]


@dataclass(frozen=True)
class Matching:
    """`places`: for the name of each layer of the network that was found, its name in the file.

    `missing` of the network, `left_over` of the file. `alike`: how many of the places could be
    exchanged as far as shapes tell.
    """

    places: dict[str, str] = field(default_factory=dict)
    missing: list[NamedLayer] = field(default_factory=list)
    left_over: list[NamedLayer] = field(default_factory=list)
    alike: int = 0


def matched(own: Layers, given: Layers) -> Matching:
    """The layers of a network with those of a file, both in the order of their networks.

    Layers that look alike follow each other in both. Those on the way around a block are a row by
    themselves, since programs have them before a block's other layers or behind. What is left then
    is a linear layer here and a convolution of a whole map there, or the other way round.
    """
    pairs: list[tuple[NamedLayer, NamedLayer]] = []
    for look in (_look_and_role, _look, _size):
        pairs += _paired(own, given, look)
        mine, theirs = ({layer.name for layer in side} for side in zip(*pairs, strict=True))
        own = [layer for layer in own if layer.name not in mine]
        given = [layer for layer in given if layer.name not in theirs]
    looks = [mine.looks for mine, _ in pairs]
    return Matching(
        {mine.name: theirs.name for mine, theirs in pairs},
        [*own],
        [*given],
        sum(looks.count(look) > 1 for look in looks),
    )


def _look_and_role(layer: NamedLayer) -> Any:
    return layer.looks, layer.is_shortcut


def _look(layer: NamedLayer) -> Any:
    return layer.looks


def _size(layer: NamedLayer) -> Any:
    return layer.sizes


def _paired(
    own: Layers, given: Layers, look: Callable[[NamedLayer], Any]
) -> list[tuple[NamedLayer, NamedLayer]]:
    """Pairs of equal looks, where both sides have as many of these."""
    found: list[tuple[NamedLayer, NamedLayer]] = []
    for kind in dict.fromkeys(look(layer) for layer in own):
        rows = [[layer for layer in side if look(layer) == kind] for side in (own, given)]
        if len(rows[0]) == len(rows[1]):
            found += zip(*rows, strict=True)
    return found
