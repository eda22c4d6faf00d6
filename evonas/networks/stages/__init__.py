"""Stem, stages of equal blocks, classifier: the grammar behind MnasNet, ResNet and DenseNet."""

from evonas.networks.grammar import Grammar
from evonas.networks.stages.plan import plan_stages
from evonas.networks.stages.rules import RULES
from evonas.networks.stages.section import aligned, meaning, scaled, short, tidied, words
from evonas.networks.stages.smaller import narrowed, shallower

STAGES = Grammar(
    RULES,
    tidied,
    short,
    scaled,
    meaning,
    meaning,
    aligned,
    words,
    plan_stages,
    narrowed,
    shallower,
)
