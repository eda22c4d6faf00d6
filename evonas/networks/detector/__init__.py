"""Backbone, neck, head: detectors that look at several strides (see `docs/networks.md`)."""

from evonas.networks.detector.plan import plan_detector
from evonas.networks.detector.rules import RULES
from evonas.networks.detector.section import (
    aligned,
    meaning,
    narrowed,
    scaled,
    shallower,
    short,
    strides,
    tidied,
    words,
)
from evonas.networks.grammar import Grammar

DETECTOR = Grammar(
    RULES,
    tidied,
    short,
    scaled,
    meaning,
    meaning,
    aligned,
    words,
    plan_detector,
    narrowed,
    shallower,
    task="detection",
    strides=strides,
)
