"""Stem, stages of equal blocks, classifier: the builder behind MnasNet and MobileNet."""

from collections.abc import Mapping
from typing import Any

from evonas.models.blocks import BLOCKS
from evonas.models.layers import ClassifierHead, ConvNormActivation
from evonas.models.plan import Layer, Plan
from evonas.space.canonical import DEFAULT_ATTENTION, NO_SKIP, can_skip
from evonas.space.scale import round8


def plan_stages(network: Mapping[str, Any]) -> Plan:
    """The layers of a scaled network section (see `space.scaled_network`)."""
    input_channels = network["input"][0]
    activation = network["activation"]
    stem = network["stem"]
    arguments = {
        "in_channels": input_channels,
        "out_channels": stem["channels"],
        "kernel": stem["kernel"],
        "stride": stem["stride"],
        "activation": activation,
    }
    parts: list[tuple[str, tuple[Layer, ...]]] = [("stem", (Layer(ConvNormActivation, arguments),))]
    channels = stem["channels"]
    for index, stage in enumerate(network["stages"]):
        parts.append((f"stage_{index + 1}", _plan_stage(stage, channels, network)))
        channels = stage["channels"]
    head = {
        "in_channels": channels,
        "channels": network["head"]["channels"],
        "classes": network["classes"],
        "activation": activation,
        "hidden": network["head"].get("hidden", 0),
    }
    parts.append(("head", (Layer(ClassifierHead, head),)))
    return Plan(tuple(parts), tuple(network["input"]), network["classes"])


def _plan_stage(
    stage: Mapping[str, Any], in_channels: int, network: Mapping[str, Any]
) -> tuple[Layer, ...]:
    """Equal blocks; the first one carries the stride and the change of channels."""
    layers = []
    for index in range(stage["layers"]):
        stride = stage["stride"] if index == 0 else 1
        channels = in_channels if index == 0 else stage["channels"]
        wants_skip = stage["skip"] != NO_SKIP
        arguments = {
            "in_channels": channels,
            "out_channels": stage["channels"],
            "kernel": stage["kernel"],
            "stride": stride,
            "activation": stage.get("activation", network["activation"]),
            **_own_arguments(stage, channels),
            "attention": _attention(stage, channels, network),
            "skip": wants_skip and can_skip(channels, stage["channels"], stride),
        }
        layers.append(Layer(BLOCKS[stage["operation"]], arguments))
    return tuple(layers)


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
