"""Evolvers: where new designs come from. A new one is a file here and a line below."""

from collections.abc import Mapping

from evonas.evolution.evolver import Evolver, Proposal
from evonas.evolution.pygad_evolver import PygadEvolver
from evonas.evolution.random_evolver import RandomEvolver

EVOLVERS: Mapping[str, type[Evolver]] = {
    "pygad": PygadEvolver,
    "random": RandomEvolver,
}

__all__ = ["EVOLVERS", "Evolver", "Proposal"]
