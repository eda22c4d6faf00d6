"""Backbones: how they are written, and which of their maps a neck may read.

A backbone is a network of some grammar without a head. A new way to write it is a line in `FORMS`.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from evonas.networks.chain import CHAIN
from evonas.networks.chain import layer_words as chain
from evonas.networks.chain.plan import plan_row
from evonas.networks.chain.section import part_name
from evonas.networks.detector.levels import Level, Tap
from evonas.networks.grammar import Grammar
from evonas.networks.plan import Layer, Part, in_a_row
from evonas.networks.stages import STAGES
from evonas.networks.stages.plan import norm_argument, plan_trunk, stage_name, trunk_channels
from evonas.networks.stages.section import ends_open

OWN_KEYS = ("levels", "backbone", "neck", "head")
SHARED = ("activation", "norm")  # what a backbone may say otherwise than neck and head

Network = Mapping[str, Any]
Trunk = tuple[list[Part], list[Level]]


@dataclass(frozen=True)
class Form:
    """A way to write a backbone.

    Attributes:
        grammar: Of the network that the backbone is, but for its head.
        keys: What a backbone takes beside what all of them take.
        head: What stands for the head that is not there.
        meant: What of `SHARED` a backbone still says once each of its layers is written in full.
        maps: Of a scaled network, with its `input`, all maps that may be looked at, in order.
        plan: Its parts, and the levels that these maps of it are.
    """

    grammar: Grammar
    keys: tuple[str, ...]
    head: Any
    meant: tuple[str, ...]
    maps: Callable[[Network], Iterator[Tap]]
    plan: Callable[[Network, Sequence[Tap]], Trunk]


def form_of(backbone: Mapping[str, Any]) -> tuple[str, Form]:
    """The name of the form's grammar and the form, told by the keys; without any, the first."""
    found = ((name, form) for name, form in FORMS.items() if backbone.keys() & {*form.keys})
    return next(found, next(iter(FORMS.items())))


def as_network(network: Network) -> dict[str, Any]:
    """The backbone of a detector as a network, with the keys that all sections have."""
    builder, form = form_of(network["backbone"])
    shared = {key: value for key, value in network.items() if key not in OWN_KEYS}
    return {**shared, "builder": builder, **network["backbone"], "head": form.head}


def taps(network: Network) -> list[Tap]:
    """The last map of each stride of a scaled detector, the finest first."""
    _, form = form_of(network["backbone"])
    return list({tap.stride: tap for tap in form.maps(as_network(network))}.values())


def plan_backbone(network: Network) -> Trunk:
    """The parts of a scaled detector's backbone, and its levels."""
    _, form = form_of(network["backbone"])
    return form.plan(as_network(network), taps(network)[-network["levels"] :])


def _maps_of_stages(network: Network) -> Iterator[Tap]:
    """Behind each stage."""
    stem, side = network["stem"], network["input"][1]
    stride = stem["stride"] if stem["channels"] else 1
    stride *= 2 if stem.get("pool", "none") != "none" else 1
    channels = trunk_channels(network)[1:]
    for index, stage in enumerate(network["stages"]):
        stride *= stage["stride"]
        yield Tap(stride, math.ceil(side / stride), channels[index], (index,))


def _plan_stages(network: Network, chosen: Sequence[Tap]) -> Trunk:
    """Norm and activation are behind stages whose blocks begin with theirs."""
    parts, levels = list(in_a_row(plan_trunk(network))), list[Level]()
    for number, tap in enumerate(chosen, 1):
        (index,) = tap.place
        reads = stage_name(index)
        if ends_open(network["stages"][index]):
            how = {"activation": network["activation"], "norm": "batch", **norm_argument(network)}
            closed = Layer("NormActivation", {"channels": tap.channels, **how})
            parts.append(Part(f"closed_{number}", (closed,), (reads,)))
            reads = parts[-1].name
        levels.append(Level(number, tap.stride, tap.channels, reads, tap.px))
    return parts, levels


def _maps_of_chain(network: Network) -> Iterator[Tap]:
    """Behind each layer; its place is that of its list and its own in there."""
    shape, stride = tuple(network["input"]), 1
    for group, layers in enumerate(network["layers"]):
        for index, layer in enumerate(layers):
            shape = chain.shape_after(layer, shape)
            stride *= chain.stride_of(layer)
            yield Tap(stride, shape[1], shape[0], (group, index))


def _plan_chain(network: Network, chosen: Sequence[Tap]) -> Trunk:
    """Lists of layers are parts as in a classifier, and end where a level does."""
    shape: chain.Shape = tuple(network["input"])
    parts, names = list[tuple[str, tuple[Layer, ...]]](), dict[tuple[int, ...], str]()
    for group, layers in enumerate(network["layers"]):
        planned, shape = plan_row(layers, shape)
        places = [tap.place[1] for tap in chosen if tap.place[0] == group]
        ends = dict.fromkeys([*(place + 1 for place in places), len(layers)])
        for number, (start, end) in enumerate(pairwise([0, *ends]), 1):
            name = part_name(group) + (f"_{number}" if number > 1 else "")
            parts.append((name, _piece(planned, start, end)))
            names[group, end - 1] = name
    levels = [
        Level(number, tap.stride, tap.channels, names[tap.place], tap.px)
        for number, tap in enumerate(chosen, 1)
    ]
    return list(in_a_row(parts)), levels


def _piece(layers: Sequence[Layer], start: int, end: int) -> tuple[Layer, ...]:
    """Some layers of a list; weights of the first ones keep the names that all of it would have."""
    if end - start == 1 < len(layers):
        return (Layer("Row", {"layers": list(layers[start:end])}),)
    return tuple(layers[start:end])


FORMS: Mapping[str, Form] = {
    "stages": Form(
        STAGES,
        ("stem", "stages", "attention"),
        {"channels": 0},
        SHARED,
        _maps_of_stages,
        _plan_stages,
    ),
    "chain": Form(CHAIN, ("bias", "layers"), [], (), _maps_of_chain, _plan_chain),
}
