"""Stem, stages of equal blocks, classifier: how MnasNet and MobileNet are written down."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from evonas.networks.grammar import Tidied, Words, filled, with_defaults, without_defaults
from evonas.networks.scale import Scale, affordable_strides, round8

NO_SKIP = "none"
SKIPS = (NO_SKIP, "identity", "pool")  # what is added to what a layer makes of its input
IDENTITY = "identity"  # the operation that passes maps on unchanged, where shapes allow it
DENSE, DUAL_PATH = "dense", "dual_path"  # operations whose layers add channels to those they read
FRACTAL = "fractal"  # drops paths in its own way
KIND = (
    *("operation", "kernel", "expansion", "mid_ratio", "mid_growths", "groups", "radix"),
    *("se_ratio", "skip", "order", "columns", "csp"),
)
IDENTITY_KEYS = ("operation", "channels", "layers", "stride")
WIDTHS = ("channels", "growth")  # keys of a stage that the width of a scale multiplies

# The orders of convolution, norm and activation in a residual block (arXiv 1603.05027, figure 4).
POST, PRE = "post", "pre"
ORDERS = (POST, "norm_after_sum", "activation_before_sum", "activation_first", PRE)

# What a stage is meant to say where it does not.
STAGE_DEFAULTS: Mapping[str, Any] = {
    "linear": True,
    "groups": 1,
    "radix": 0,
    "order": POST,
    "stride_place": "middle",
    "shortcut": "projection",
    "compression": 1,
    "dropout": 0,
    "stacked": False,
    "csp": 0,
    "csp_linear": False,
}
STEM_DEFAULTS: Mapping[str, Any] = {"pool": "none", "deep": False, "bare": False}
HEAD_DEFAULTS: Mapping[str, Any] = {"hidden": 0, "fixed": False, "pool": "average"}

# How squeeze-and-excite is built unless the network's `attention` says otherwise (MnasNet).
DEFAULT_ATTENTION = {"base": "input", "activation": "relu", "gate": "sigmoid", "round8": False}


def can_skip(in_channels: int, out_channels: int, stride: int) -> bool:
    """True if an identity can be added around a layer: same channels, same size."""
    return stride == 1 and in_channels == out_channels


def layer_channels(stage: Mapping[str, Any], in_channels: int, index: int) -> int:
    """Channels behind a stage's layer of this index that is given so many."""
    if stage["operation"] == DENSE:
        kept = in_channels if index else int(in_channels * stage.get("compression", 1))
        return kept + int(stage["growth"])
    if stage["operation"] == DUAL_PATH:  # the first one begins the dense path with three growths
        first = stage["channels"] + 3 * stage["growth"]
        return int(in_channels + stage["growth"] if index else first)
    return int(stage["channels"])


def stage_channels(stage: Mapping[str, Any], in_channels: int) -> int:
    """Channels behind a stage that is given so many."""
    for index in range(stage["layers"]):
        in_channels = layer_channels(stage, in_channels, index)
    return in_channels


def ends_open(stage: Mapping[str, Any]) -> bool:
    """True if norm and activation are still to come: those of a stage's blocks stand in front."""
    if stage.get("csp"):
        return False
    is_open = stage.get("order") in (PRE, "activation_first")
    return is_open or stage["operation"] in (DENSE, DUAL_PATH)


def tidied(network: Mapping[str, Any]) -> Tidied:
    """A stage of identities takes no keys of what it does not do; a deep stem is of 3x3s."""
    stem = network["stem"]
    stem = {**stem, "kernel": 3} if stem.get("deep") else stem
    stages = [
        {key: stage[key] for key in IDENTITY_KEYS} if stage["operation"] == IDENTITY else stage
        for stage in network["stages"]
    ]
    return {**network, "stem": stem, "stages": stages}, ()


def _stage_defaults(network: Mapping[str, Any]) -> dict[str, Any]:
    return {"activation": network["activation"], **STAGE_DEFAULTS}


def short(network: Mapping[str, Any]) -> dict[str, Any]:
    """What is said by default is not said."""
    defaults = _stage_defaults(network)
    stages = [_without(defaults, stage) for stage in network["stages"]]
    attention = {**DEFAULT_ATTENTION, **network.get("attention", {})}
    squeezes = any(stage.get("se_ratio") for stage in network["stages"])
    short = {
        **without_defaults(network),
        "stem": _without(STEM_DEFAULTS, network["stem"]),
        "stages": stages,
        "head": _without(HEAD_DEFAULTS, network["head"]),
        "attention": attention,
    }
    if not squeezes or attention == DEFAULT_ATTENTION:
        del short["attention"]
    return short


def _without(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in values.items() if k not in defaults or v != defaults[k]}


def scaled(network: Mapping[str, Any], scale: Scale) -> dict[str, Any]:
    """See `networks.scaled`."""
    stem = {**network["stem"], "channels": _widened(network["stem"]["channels"], scale)}
    pool = [2] if stem.get("pool", "none") != "none" else []
    begins = stem["stride"] if stem["channels"] else 1
    strides = [begins, *pool, *(stage["stride"] for stage in network["stages"])]
    stem["stride"], *strides = affordable_strides(strides, scale)
    if pool and strides.pop(0) == 1:
        stem["pool"] = "none"
    stages = [
        {
            **stage,
            "layers": math.ceil(stage["layers"] * scale.depth),
            "stride": stride,
            **{key: _widened(stage[key], scale) for key in WIDTHS if key in stage},
        }
        for stage, stride in zip(network["stages"], strides, strict=True)
    ]
    head = dict(network["head"])
    if not head.pop("fixed", False):
        head |= {key: _widened(head[key], scale) for key in ("channels", "hidden") if head.get(key)}
    sized, _ = tidied({**network, "stem": stem, "stages": stages, "head": head})
    return {**sized, "stages": [s for channels, s in _fed(sized) if not _is_noop(channels, s)]}


def _widened(channels: int, scale: Scale) -> int:
    """Channels at this scale: as written at width 1, else multiples of 8; 0 stays 0."""
    return channels if scale.width == 1 or not channels else round8(channels * scale.width)


def _fed(network: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Each stage behind the channels that it is given."""
    channels = network["stem"]["channels"]
    for stage in network["stages"]:
        yield channels, stage
        channels = stage_channels(stage, channels)


def _is_noop(in_channels: int, stage: Mapping[str, Any]) -> bool:
    is_identity = stage["operation"] == IDENTITY
    return is_identity and can_skip(in_channels, stage["channels"], stage["stride"])


def meaning(network: Mapping[str, Any]) -> Any:
    """Layer by layer: however they are grouped into stages, and without those that do nothing."""
    tidy, _ = tidied(network)
    return short({**tidy, "stages": list(_layers(tidy))})


def _layers(network: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The layers as stages of one layer each, but for stages whose layers are no like blocks."""
    for in_channels, stage in _fed(network):
        if stage["operation"] in (DENSE, DUAL_PATH) or stage.get("csp"):
            yield {**stage}
            continue
        for index in range(stage["layers"]):
            stride = stage["stride"] if index == 0 else 1
            layer = _of_effect({**stage, "layers": 1, "stride": stride}, in_channels)
            if not _is_noop(in_channels, layer):
                yield layer
            in_channels = stage["channels"]


def _of_effect(layer: dict[str, Any], in_channels: int) -> dict[str, Any]:
    """A layer without the choices that its shape leaves no room for."""
    if can_skip(in_channels, layer["channels"], layer["stride"]):
        layer.pop("shortcut", None)
    elif "skip" in layer:
        layer["skip"] = NO_SKIP
    if layer["stride"] == 1:
        layer.pop("stride_place", None)
    return layer


def aligned(network: Mapping[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """With the defaults that the space writes out, and each layer in the place it has for it."""
    places = template["stages"]
    network = with_defaults(network, template)
    network["stem"] = filled(network["stem"], template["stem"], STEM_DEFAULTS)
    network["head"] = filled(network["head"], template["head"], HEAD_DEFAULTS)
    if "attention" in template:
        network["attention"] = {**DEFAULT_ATTENTION, **network.get("attention", {})}
    if len(places) != len(network["stages"]) and all(place["layers"] == 1 for place in places):
        network["stages"] = _placed(network, places)
    if len(places) == len(network["stages"]):
        network["stages"] = [
            filled(stage, active(place, stage), _stage_defaults(network))
            for stage, place in zip(network["stages"], places, strict=True)
        ]
    return network


def active(place: Mapping[str, Any], stage: Mapping[str, Any]) -> dict[str, Any]:
    """A place without the genes that are not active beside what the stage chooses."""
    return {key: given for key, given in place.items() if _is_active(given, stage)}


def _is_active(given: Any, stage: Mapping[str, Any]) -> bool:
    when = given.get("when", {}) if isinstance(given, Mapping) else {}
    return all(
        stage[key] in (wanted if isinstance(wanted, list) else [wanted])
        for key, wanted in when.items()
        if key in stage  # another gene may stand elsewhere
    )


def _placed(
    network: Mapping[str, Any], places: Sequence[Mapping[str, Any]]
) -> list[Mapping[str, Any]]:
    """Layers in the places that a space of single layers has for them, identities between."""
    layers = list(_layers(tidied(network)[0]))
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
            f"{left['operation']} {_width(left)} at stride {left['stride']}"
        )
    return stages


def _fits(layer: Mapping[str, Any], place: Mapping[str, Any]) -> bool:
    keys = ("channels", "stride", "operation")
    return all(_allows(place.get(key), layer.get(key)) for key in keys)


def _width(layer: Mapping[str, Any]) -> str:
    if "channels" in layer:
        return f"to {layer['channels']} channels"
    return f"of growth {layer['growth']}"


def _nearest(given: Any, value: Any) -> Any:
    """What a place fixes, or the value if a gene leaves it open."""
    return value if isinstance(given, Mapping) else given


def _allows(wanted: Any, value: Any) -> bool:
    """True if a fixed value of a space equals this, or the alleles of a gene contain it."""
    alleles = wanted.get("choice", [value]) if isinstance(wanted, Mapping) else [wanted]
    return value in alleles


def words(network: Mapping[str, Any]) -> list[Words]:
    """The kinds of layers, counted, whatever their width and place; and pairs of neighbours."""
    kinds = [
        " ".join(str(layer[key]) for key in KIND if key in layer)
        for layer in _layers(tidied(network)[0])
    ]
    pairs = zip(["stem", *kinds], [*kinds, "head"], strict=True)
    return [Counter(kinds), Counter(" > ".join(pair) for pair in pairs)]
