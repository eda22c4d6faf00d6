"""Stem, stages of equal blocks, classifier: the builder behind MnasNet and MobileNet."""

from collections.abc import Mapping
from typing import Any

from evonas.models.blocks import BLOCK_KEYS, BLOCKS
from evonas.models.layers import ClassifierHead, ConvNormActivation
from evonas.models.plan import Layer, Plan
from evonas.space.canonical import NO_SKIP, can_skip


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
        parts.append((f"stage_{index + 1}", _plan_stage(stage, channels, activation)))
        channels = stage["channels"]
    head = {
        "in_channels": channels,
        "channels": network["head"]["channels"],
        "classes": network["classes"],
        "activation": activation,
    }
    parts.append(("head", (Layer(ClassifierHead, head),)))
    return Plan(tuple(parts), tuple(network["input"]), network["classes"])


def _plan_stage(stage: Mapping[str, Any], in_channels: int, activation: str) -> tuple[Layer, ...]:
    """Equal blocks; the first one carries the stride and the change of channels."""
    operation = stage["operation"]
    own = {key: stage[key] for key in BLOCK_KEYS.get(operation, ())}
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
            "activation": activation,
            **own,
            "se_ratio": stage["se_ratio"],
            "skip": wants_skip and can_skip(channels, stage["channels"], stride),
        }
        layers.append(Layer(BLOCKS[operation], arguments))
    return tuple(layers)
