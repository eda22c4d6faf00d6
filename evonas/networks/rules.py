"""What each key of a network section may hold: rules of all grammars, read by `space.check`.

A rule is a function from a value to what is wrong with it, a mapping of rules, or a list with
the rule of its items. `MayBeMissing` stands around rules of keys that have a default, `AnyNames`
around that of all values of a mapping, `Ways` around those of a mapping that has several forms.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from evonas.networks import value_rules as rule
from evonas.networks.names import ACTIVATIONS, INITIALISATIONS, NORMS
from evonas.networks.value_rules import Alleles, MayBeMissing, Problem


@dataclass(frozen=True)
class AnyNames:
    """Around the rule of all values of a mapping, whatever their keys are called."""

    rule: Any


@dataclass(frozen=True)
class Ways:
    """Around the rules of a mapping that is written in one of several ways: those of its way."""

    rules: Callable[[Mapping[str, Any]], Mapping[str, Any]]


def _nothing_more(network: Mapping[str, Any], alleles: Alleles) -> Iterator[Problem]:
    yield from ()


@dataclass(frozen=True)
class Rules:
    """The rules of one grammar: key by key, and what no key can tell alone.

    `owners` says which operations take a key that not all of them take.
    """

    keys: Mapping[str, Any]
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    across: Callable[[Mapping[str, Any], Alleles], Iterator[Problem]] = _nothing_more


COMMON: Mapping[str, Any] = {
    "builder": lambda builder: None,  # by which these rules were picked
    "activation": rule.one_of_words("activation", *ACTIVATIONS),
    "norm": MayBeMissing(rule.one_of_words("norm", *NORMS)),
    "initialisation": MayBeMissing(rule.one_of_words("initialisation", *INITIALISATIONS)),
    "norm_eps": MayBeMissing(rule.between(1e-12, 1, "what a norm adds to a variance")),
    "norm_momentum": MayBeMissing(
        rule.between(0.0001, 1, "a share of a batch in a norm's statistics")
    ),
    "leaky_slope": MayBeMissing(rule.between(0, 1, "a slope of leaky ReLU")),
}
DROP_PATH = {"drop_path": MayBeMissing(rule.probability)}
