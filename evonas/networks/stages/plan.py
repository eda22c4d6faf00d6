"""Stem, stages of equal blocks, classifier: the builder behind MnasNet, ResNet and DenseNet."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evonas.networks.grammar import classifier_plan
from evonas.networks.plan import Layer, Plan, in_a_row
from evonas.networks.scale import round8
from evonas.networks.stages import section
from evonas.networks.stages.blocks import BLOCKS

SHAPE_KEYS = ("channels", "compression")  # known to a block by the channels it is given and gives
# Not passed on as they are.
TRANSLATED = ("expansion", "mid_ratio", "mid_growths", "se_ratio", "skip")

# What a block is told of a stage's `skip`.
BLOCK_SKIPS: Mapping[str, bool | str] = {section.NO_SKIP: False, "identity": True, "pool": "pool"}


def plan_stages(network: Mapping[str, Any]) -> Plan:
    """The layers of a scaled network section (see `space.scaled_network`)."""
    parts = plan_trunk(network)
    head = network["head"]
    is_open = bool(network["stages"]) and section.ends_open(network["stages"][-1])
    arguments = {
        "in_channels": trunk_channels(network)[-1],
        "channels": head["channels"],
        "classes": network["classes"],
        "activation": network["activation"],
        "hidden": head.get("hidden", 0),
        **norm_argument(network),
        **({"norm_first": True} if is_open else {}),
        **({"pool": head["pool"]} if head.get("pool", "average") != "average" else {}),
    }
    head_part = ("head", (Layer("ClassifierHead", arguments),))
    return classifier_plan(network, in_a_row([*parts, head_part]))


def stage_name(index: int) -> str:
    """The part of a stage, counted from 0."""
    return f"stage_{index + 1}"


def plan_trunk(network: Mapping[str, Any]) -> list[tuple[str, tuple[Layer, ...]]]:
    """Stem and stages of a scaled section: the layers of each part by its name, in a row."""
    parts: list[tuple[str, tuple[Layer, ...]]] = []
    if network["stem"]["channels"]:
        parts.append(("stem", _plan_stem(network)))
    blocks = sum(stage["layers"] for stage in network["stages"])
    done = 0
    given = trunk_channels(network)
    for index, stage in enumerate(network["stages"]):
        shares = [(done + layer + 1) / blocks for layer in range(stage["layers"])]
        parts.append((stage_name(index), _plan_stage(stage, given[index], network, shares)))
        done += stage["layers"]
    return parts


def trunk_channels(network: Mapping[str, Any]) -> list[int]:
    """Channels in front of the first stage of a scaled section, then behind each."""
    channels = [network["stem"]["channels"] or network["input"][0]]
    for stage in network["stages"]:
        channels.append(section.stage_channels(stage, channels[-1]))
    return channels


def norm_argument(network: Mapping[str, Any]) -> dict[str, Any]:
    """The argument of a layer that has a norm, unless it is the usual one."""
    return {"norm": network["norm"]} if "norm" in network else {}


def _plan_stem(network: Mapping[str, Any]) -> tuple[Layer, ...]:
    """One convolution, or three for a deep one; maybe a pooling behind."""
    stem = network["stem"]
    shape = {
        "in_channels": network["input"][0],
        "out_channels": stem["channels"],
        "kernel": stem["kernel"],
        "stride": stem["stride"],
    }
    usual = {"activation": network["activation"], **norm_argument(network)}
    is_bare = stem.get("bare", False)
    if stem.get("deep"):
        layers = [Layer("DeepStem", {**shape, **usual, "bare": is_bare})]
    else:
        bare, usual_one = Layer("BareConv", shape), Layer("ConvNormActivation", shape | usual)
        layers = [bare if is_bare else usual_one]
    if stem.get("pool", "none") != "none":
        layers.append(Layer("StemPool", {"kind": stem["pool"]}))
    return tuple(layers)


def _plan_stage(
    stage: Mapping[str, Any],
    in_channels: int,
    network: Mapping[str, Any],
    shares: Sequence[float],
) -> tuple[Layer, ...]:
    """Equal blocks; the first one carries the stride and the change of channels.

    Drop path grows with a block's place, as stochastic depth does (arXiv 1603.09382, eq. 4):
    `shares` are those of the network's probability.
    """
    if stage.get("csp"):
        return _plan_cross_stage(stage, in_channels, network, shares)
    layers = []
    for index, share in enumerate(shares):
        shape = {
            "in_channels": in_channels,
            "out_channels": section.layer_channels(stage, in_channels, index),
            "stride": stage["stride"] if index == 0 else 1,
        }
        arguments = {
            **shape,
            "activation": stage.get("activation", network["activation"]),
            **norm_argument(network),
            **_own_arguments(stage, shape, network),
            **_sum_arguments(stage, shape, network, share),
        }
        layers.append(Layer(BLOCKS[stage["operation"]].module, arguments))
        in_channels = shape["out_channels"]
    return tuple(layers)


def _plan_cross_stage(
    stage: Mapping[str, Any],
    in_channels: int,
    network: Mapping[str, Any],
    shares: Sequence[float],
) -> tuple[Layer, ...]:
    """The blocks on a part of the channels, the others around them (CSPNet, arXiv 1911.11929).

    As in CSPDarknet53: a stride is a 3x3 convolution; a 1x1 convolution makes both parts, of `csp`
    times the stage's channels each; one stands behind the blocks and one behind the sum of parts.
    """
    base = stage.get("channels") or int(in_channels * stage.get("compression", 1))
    part = max(1, round(base * stage["csp"]))
    inner = {**stage, "csp": 0, "stride": 1, "compression": 1, "channels": part}
    usual = {"activation": stage.get("activation", network["activation"]), **norm_argument(network)}

    def convolution(given: int, made: int, how: Mapping[str, Any], side: int = 1) -> Layer:
        shape = {"in_channels": given, "out_channels": made, "kernel": side}
        return Layer("ConvNormActivation", {**shape, **how})

    strided = stage["stride"] != 1
    before = [convolution(in_channels, base, {**usual, "stride": stage["stride"]}, 3)]
    linear = {key: usual[key] for key in usual if key != "activation"}
    split = linear if stage.get("csp_linear") else usual
    layers = [
        *_plan_stage(inner, part, network, shares),
        convolution(section.stage_channels(inner, part), part, usual),
    ]
    return (
        *(before if strided else []),
        convolution(base if strided else in_channels, 2 * part, split),
        Layer("CrossStage", {"around": part, "layers": layers}),
        convolution(2 * part, section.stage_channels(stage, in_channels), usual),
    )


def _own_arguments(
    stage: Mapping[str, Any], shape: Mapping[str, int], network: Mapping[str, Any]
) -> dict[str, Any]:
    """What the operation takes of the stage's keys, as its block has it."""
    taken = BLOCKS[stage["operation"]].keys
    plain = [key for key in taken if key in stage and key not in (*SHAPE_KEYS, *TRANSLATED)]
    arguments = {key: stage[key] for key in plain}
    if "expansion" in taken:
        arguments["expanded"] = round(shape["in_channels"] * stage["expansion"])
    if "mid_ratio" in taken or "mid_growths" in taken:
        arguments["inner"] = _inner(stage)
    elif "groups" in arguments:  # of all channels, at any width
        whole = math.gcd(shape["in_channels"], shape["out_channels"])
        arguments["groups"] = math.gcd(stage["groups"], whole)
    if stage["operation"] == section.DUAL_PATH:
        arguments["residual"] = stage["channels"]
    if "se_ratio" in taken:
        arguments["attention"] = _attention(stage, shape, network)
    return arguments


def _inner(stage: Mapping[str, Any]) -> int:
    """Channels in the middle of a block, in whole groups: relative to what it gives or adds."""
    operation = stage["operation"]
    groups = stage.get("groups", 1) * max(1, stage.get("radix", 0))
    if operation in (section.DENSE, section.DUAL_PATH):
        wanted = stage["growth"] * stage["mid_growths"]
    else:
        wanted = stage["channels"] * stage["mid_ratio"]
    least = 0 if BLOCKS[operation].needs is None else groups
    return int(max(least, round(wanted / groups) * groups))


def _sum_arguments(
    stage: Mapping[str, Any], shape: Mapping[str, int], network: Mapping[str, Any], share: float
) -> dict[str, Any]:
    """How a block adds what it is given to what it makes of it."""
    block = BLOCKS[stage["operation"]]
    taken = block.keys
    skips: bool | str = block.always_sums
    if "skip" in taken:
        skips = section.can_skip(**shape) and BLOCK_SKIPS[stage["skip"]]
    if stage["operation"] == section.FRACTAL:  # whose columns drop alike, however deep
        share = 1
    drop_path = network.get("drop_path", 0) * share if skips else 0
    return {
        **({"skip": skips} if "skip" in taken else {}),
        **({"drop_path": drop_path} if drop_path else {}),
    }


def _attention(
    stage: Mapping[str, Any], shape: Mapping[str, int], network: Mapping[str, Any]
) -> dict[str, Any] | None:
    """How the block squeezes: what it is given (MnasNet), expands to, or gives (SENet)."""
    if not stage["se_ratio"]:
        return None
    how = {**section.DEFAULT_ATTENTION, **network.get("attention", {})}
    if BLOCKS[stage["operation"]].always_sums:
        channels = shape["out_channels"]
    else:
        expansion = stage.get("expansion", 1) if how["base"] == "expanded" else 1
        channels = shape["in_channels"] * expansion
    squeezed = channels * stage["se_ratio"]
    return {
        "squeezed": round8(squeezed) if how["round8"] else max(1, int(squeezed)),
        "activation": how["activation"],
        "gate": how["gate"],
    }
