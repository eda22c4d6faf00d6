"""Stem, stages of equal blocks, classifier: how MnasNet and MobileNet are written down."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evonas.networks.builder import Builder, Tidied, Words, filled, with_defaults, without_defaults
from evonas.networks.scale import Scale, affordable_strides, round8

NO_SKIP = "none"
IDENTITY = "identity"  # the operation that passes maps on unchanged, where shapes allow it
KIND = ("operation", "kernel", "expansion", "se_ratio", "skip")
IDENTITY_KEYS = ("operation", "channels", "layers", "stride")

# How squeeze-and-excite is built unless the network's `attention` says otherwise (MnasNet).
DEFAULT_ATTENTION = {"base": "input", "activation": "relu", "gate": "sigmoid", "round8": False}


def can_skip(in_channels: int, out_channels: int, stride: int) -> bool:
    """True if an identity can be added around a layer: same channels, same size."""
    return stride == 1 and in_channels == out_channels


def _tidied(network: Mapping[str, Any]) -> Tidied:
    """A stage of identities takes no keys of what it does not do."""
    stages = [
        {key: stage[key] for key in IDENTITY_KEYS} if stage["operation"] == IDENTITY else stage
        for stage in network["stages"]
    ]
    return {**network, "stages": stages}, ()


def _stage_defaults(network: Mapping[str, Any]) -> dict[str, Any]:
    return {"activation": network["activation"], "linear": True}


def _short(network: Mapping[str, Any]) -> dict[str, Any]:
    """What is said by default is not said."""
    defaults = _stage_defaults(network)
    stages = [
        {key: value for key, value in stage.items() if defaults.get(key) != value}
        for stage in network["stages"]
    ]
    attention = {**DEFAULT_ATTENTION, **network.get("attention", {})}
    squeezes = any(stage.get("se_ratio") for stage in network["stages"])
    head = {k: v for k, v in network["head"].items() if v or k == "channels"}
    short = {**without_defaults(network), "stages": stages, "head": head, "attention": attention}
    if not squeezes or attention == DEFAULT_ATTENTION:
        del short["attention"]
    return short


def _scaled(network: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    strides = [network["stem"]["stride"], *(stage["stride"] for stage in network["stages"])]
    strides = affordable_strides(strides, scale)
    stem = {**network["stem"], "stride": strides[0]}
    stem["channels"] = _widened(stem["channels"], scale)
    stages = [
        {
            **stage,
            "layers": math.ceil(stage["layers"] * scale.depth),
            "stride": stride,
            "channels": _widened(stage["channels"], scale),
        }
        for stage, stride in zip(network["stages"], strides[1:], strict=True)
    ]
    head = dict(network["head"])
    if not head.pop("fixed", False):
        head |= {key: _widened(head[key], scale) for key in ("channels", "hidden") if head.get(key)}
    sized, _ = _tidied({**network, "stem": stem, "stages": stages, "head": head})
    return {**sized, "stages": [s for channels, s in _fed(sized) if not _is_noop(channels, s)]}


def _widened(channels: int, scale: Scale) -> int:
    """Channels at this scale: as written at width 1, else multiples of 8."""
    return channels if scale.width == 1 else round8(channels * scale.width)


def _fed(network: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each stage behind the channels that it is given."""
    channels = network["stem"]["channels"]
    for stage in network["stages"]:
        yield channels, stage
        channels = stage["channels"]


def _is_noop(in_channels: int, stage: Mapping[str, Any]) -> bool:
    shape = (in_channels, stage["channels"], stage["stride"])
    return stage["operation"] == IDENTITY and can_skip(*shape)


def _meaning(network: Mapping[str, Any]) -> Any:
    """Layer by layer: however they are grouped into stages, and without those that do nothing."""
    tidy, _ = _tidied(network)
    return _short({**tidy, "stages": list(_layers(tidy))})


def _layers(network: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The layers as stages of one layer each."""
    for in_channels, stage in _fed(network):
        channels = in_channels
        for index in range(stage["layers"]):
            stride = stage["stride"] if index == 0 else 1
            layer = {**stage, "layers": 1, "stride": stride}
            if "skip" in stage and not can_skip(channels, stage["channels"], stride):
                layer["skip"] = NO_SKIP
            if not _is_noop(channels, layer):
                yield layer
            channels = stage["channels"]


def _aligned(network: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """With the defaults that the space writes out, and each layer in the place it has for it."""
    places = template["stages"]
    network = with_defaults(network, template)
    network["head"] = filled(network["head"], template["head"], {"hidden": 0, "fixed": False})
    if "attention" in template:
        network["attention"] = {**DEFAULT_ATTENTION, **network.get("attention", {})}
    if len(places) != len(network["stages"]) and all(place["layers"] == 1 for place in places):
        network["stages"] = _placed(network, places)
    if len(places) == len(network["stages"]):
        network["stages"] = [
            filled(stage, place, _stage_defaults(network))
            for stage, place in zip(network["stages"], places, strict=True)
        ]
    return network


def _placed(
    network: Mapping[str, Any], places: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Layers in the places that a space of single layers has for them, identities between."""
    layers = list(_layers(_tidied(network)[0]))
    count = len(layers)
    stages: list[Mapping[str, Any]] = []
    for place in places:
        if layers and _fits(layers[0], place):
            stages.append(layers.pop(0))
        else:
            channels = stages[-1]["channels"] if stages else network["stem"]["channels"]
            wanted = {"operation": IDENTITY, "channels": channels, "layers": 1, "stride": 1}
            stages.append({key: _nearest(place.get(key), wanted[key]) for key in IDENTITY_KEYS})
    if layers:
        left = layers[0]
        raise ValueError(
            f"network.stages: no place for layer {count - len(layers) + 1} of {count}, "
            f"{left['operation']} to {left['channels']} channels at stride {left['stride']}"
        )
    return stages


def _fits(layer: Mapping[str, Any], place: Mapping[str, Any]) -> bool:
    return all(_allows(place[key], layer[key]) for key in ("channels", "stride", "operation"))


def _nearest(given: Any, value: Any) -> Any:
    """What a place fixes, or the value if a gene leaves it open."""
    return value if isinstance(given, Mapping) else given


def _allows(wanted: Any, value: Any) -> bool:
    """True if a fixed value of a space equals this, or the alleles of a gene contain it."""
    alleles = wanted.get("choice", [value]) if isinstance(wanted, Mapping) else [wanted]
    return value in alleles


def _words(network: Mapping[str, Any]) -> list[Words]:
    """The kinds of layers, counted, whatever their width and place; and pairs of neighbours."""
    kinds = [
        " ".join(str(layer[key]) for key in KIND if key in layer)
        for layer in _layers(_tidied(network)[0])
    ]
    pairs = zip(["stem", *kinds], [*kinds, "head"], strict=True)
    return [Counter(kinds), Counter(" > ".join(pair) for pair in pairs)]


STAGES = Builder(_tidied, _short, _scaled, _meaning, _meaning, _aligned, _words)
