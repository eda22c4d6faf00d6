"""Stem, stages of equal blocks, classifier: the builder behind MnasNet and MobileNet."""

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.models.blocks import BLOCKS
from evonas.models.layers import ClassifierHead, ConvNormActivation
from evonas.models.plan import Layer, Plan
from evonas.networks.scale import round8
from evonas.networks.stages import DEFAULT_ATTENTION, IDENTITY, NO_SKIP, can_skip


def plan_stages(network: Mapping[str, Any]) -> Plan:
    """The layers of a scaled network section (see `space.scaled_network`)."""
    stem = network["stem"]
    arguments = {
        "in_channels": network["input"][0],
        "out_channels": stem["channels"],
        "kernel": stem["kernel"],
        "stride": stem["stride"],
        "activation": network["activation"],
        **_norm(network),
    }
    parts: list[tuple[str, tuple[Layer, ...]]] = [("stem", (Layer(ConvNormActivation, arguments),))]
    channels = stem["channels"]
    blocks = sum(stage["layers"] for stage in network["stages"])
    done = 0
    for index, stage in enumerate(network["stages"]):
        shares = [(done + layer + 1) / blocks for layer in range(stage["layers"])]
        parts.append((f"stage_{index + 1}", _plan_stage(stage, channels, network, shares)))
        channels = stage["channels"]
        done += stage["layers"]
    head = {
        "in_channels": channels,
        "channels": network["head"]["channels"],
        "classes": network["classes"],
        "activation": network["activation"],
        "hidden": network["head"].get("hidden", 0),
        **_norm(network),
    }
    parts.append(("head", (Layer(ClassifierHead, head),)))
    return Plan(tuple(parts), tuple(network["input"]), network["classes"])


def _norm(network: Mapping[str, Any]) -> dict[str, Any]:
    """The argument of a layer that has a norm, unless it is the usual one."""
    return {"norm": network["norm"]} if "norm" in network else {}


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
    layers = []
    for index, share in enumerate(shares):
        arguments = {
            "in_channels": in_channels if index == 0 else stage["channels"],
            "out_channels": stage["channels"],
            "stride": stage["stride"] if index == 0 else 1,
            "activation": stage.get("activation", network["activation"]),
            **_norm(network),
        }
        if stage["operation"] != IDENTITY:
            arguments |= _block_arguments(stage, arguments, network, share)
        layers.append(Layer(BLOCKS[stage["operation"]], arguments))
    return tuple(layers)


def _block_arguments(
    stage: Mapping[str, Any], shape: Mapping[str, Any], network: Mapping[str, Any], share: float
) -> dict[str, Any]:
    """What all blocks take that do something."""
    skips = stage["skip"] != NO_SKIP and can_skip(
        shape["in_channels"], shape["out_channels"], shape["stride"]
    )
    drop_path = network.get("drop_path", 0) * share if skips else 0
    return {
        "kernel": stage["kernel"],
        **_own_arguments(stage, shape["in_channels"]),
        "attention": _attention(stage, shape["in_channels"], network),
        "skip": skips,
        **({"drop_path": drop_path} if drop_path else {}),
    }


def _own_arguments(stage: Mapping[str, Any], in_channels: int) -> dict[str, Any]:
    """Arguments that only this operation takes."""
    if stage["operation"] == "inverted_residual":
        return {"expanded": round(in_channels * stage["expansion"])}
    return {"linear": stage["linear"]} if "linear" in stage else {}


def _attention(
    stage: Mapping[str, Any], in_channels: int, network: Mapping[str, Any]
) -> dict[str, Any] | None:
    """How the block squeezes: relative to its input (MnasNet) or to what it expands to."""
    if not stage["se_ratio"]:
        return None
    how = {**DEFAULT_ATTENTION, **network.get("attention", {})}
    expansion = stage.get("expansion", 1) if how["base"] == "expanded" else 1
    squeezed = in_channels * expansion * stage["se_ratio"]
    return {
        "squeezed": round8(squeezed) if how["round8"] else max(1, int(squeezed)),
        "activation": how["activation"],
        "gate": how["gate"],
    }
