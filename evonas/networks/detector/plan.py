"""Backbone, neck and head as parts that read each other."""

from collections.abc import Mapping, Sequence
from typing import Any

from evonas.networks.detector.backbone_forms import plan_backbone
from evonas.networks.detector.heads import HEADS
from evonas.networks.detector.levels import Level
from evonas.networks.detector.necks import NECKS
from evonas.networks.detector.refinements import refined
from evonas.networks.grammar import network_plan
from evonas.networks.plan import Part, Plan


def plan_detector(network: Mapping[str, Any]) -> Plan:
    """The parts of a scaled section (see `networks.scaled`).

    In a training it gives what its head says; deployed, `boxes` and `scores`.
    """
    parts, levels = plan_levels(network)
    head, outputs = HEADS[network["head"]["kind"]].plan(network, levels)
    return network_plan(network, [*parts, *head], *outputs)


def plan_levels(network: Mapping[str, Any]) -> tuple[list[Part], Sequence[Level]]:
    """Backbone and neck of a scaled section, and the levels that the head is given.

    Raises:
        BuildError: There is no room for as many.
    """
    trunk, levels = plan_backbone(network)
    neck, mixed = NECKS[network["neck"]["kind"]].plan(network, levels)
    behind, made = refined(network, mixed)
    return [*trunk, *neck, *behind], made
