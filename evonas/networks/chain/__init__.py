"""Layers in a row, some of them with branches: the grammar behind LeNet, VGG and Inception."""

from evonas.networks.chain.narrow import narrowed
from evonas.networks.chain.plan import plan_chain
from evonas.networks.chain.rules import KEYS, chain_across
from evonas.networks.chain.section import aligned, meaning, scaled, short, with_classes, words
from evonas.networks.grammar import Grammar, as_it_is
from evonas.networks.rules import COMMON, Rules

RULES = Rules({**COMMON, **KEYS}, across=chain_across)
CHAIN = Grammar(
    RULES,
    as_it_is,
    short,
    scaled,
    meaning,
    meaning,
    aligned,
    words,
    plan_chain,
    narrowed,
    with_classes=with_classes,
)
