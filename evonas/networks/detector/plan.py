"""Backbone, neck and head as parts that read each other."""

from collections.abc import Mapping
from typing import Any

from evonas.networks.detector.heads import HEADS
from evonas.networks.detector.levels import Level, last_stages
from evonas.networks.detector.necks import NECKS
from evonas.networks.detector.section import as_stages
from evonas.networks.grammar import network_plan
from evonas.networks.plan import Layer, Part, Plan, in_a_row
from evonas.networks.stages.plan import norm_argument, plan_trunk, stage_name, trunk_channels
from evonas.networks.stages.section import ends_open


def plan_detector(network: Mapping[str, Any]) -> Plan:
    """The parts of a scaled section (see `networks.scaled`).

    In a training it gives `boxes`, `logits`, `distances` and `priors`, and with a one-to-one
    branch those of the other branch; deployed, `boxes` and `scores`.
    """
    trunk = list(in_a_row(plan_trunk(as_stages(network))))
    closing, levels = _closed(network)
    neck, mixed = NECKS[network["neck"]["kind"]].plan(network, levels)
    head, outputs = HEADS[network["head"]["kind"]].plan(network, mixed)
    return network_plan(network, [*trunk, *closing, *neck, *head], *outputs)


def _closed(network: Mapping[str, Any]) -> tuple[list[Part], list[Level]]:
    """The levels, with norm and activation behind stages whose blocks begin with theirs."""
    backbone = as_stages(network)
    channels = trunk_channels(backbone)[1:]
    chosen = list(last_stages(backbone).items())[-network["levels"] :]
    parts, levels = list[Part](), list[Level]()
    for number, (stride, index) in enumerate(chosen, 1):
        reads = stage_name(index)
        if ends_open(backbone["stages"][index]):
            how = {"activation": backbone["activation"], "norm": "batch", **norm_argument(backbone)}
            closed = Layer("NormActivation", {"channels": channels[index], **how})
            parts.append(Part(f"closed_{number}", (closed,), (reads,)))
            reads = parts[-1].name
        levels.append(Level(number, stride, channels[index], reads))
    return parts, levels
