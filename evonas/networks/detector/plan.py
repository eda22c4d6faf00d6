"""Backbone, neck and head as parts that read each other."""

from collections.abc import Mapping
from typing import Any

from evonas.networks.detector.backbone_forms import plan_backbone
from evonas.networks.detector.heads import HEADS
from evonas.networks.detector.necks import NECKS
from evonas.networks.detector.refinements import refined
from evonas.networks.grammar import network_plan
from evonas.networks.plan import Plan


def plan_detector(network: Mapping[str, Any]) -> Plan:
    """The parts of a scaled section (see `networks.scaled`).

    In a training it gives what its head says; deployed, `boxes` and `scores`.
    """
    trunk, levels = plan_backbone(network)
    neck, mixed = NECKS[network["neck"]["kind"]].plan(network, levels)
    behind, read = refined(network, mixed)
    head, outputs = HEADS[network["head"]["kind"]].plan(network, read)
    return network_plan(network, [*trunk, *neck, *behind, *head], *outputs)
