"""Evolvers: where new designs come from. A new one is a file here and a line below."""

from collections.abc import Mapping

from evonas.evolution.aging_evolver import AgingEvolver
from evonas.evolution.evolver import Evolver, Proposal
from evonas.evolution.operator_rules import check_operators
from evonas.evolution.optuna_evolver import GpEvolver, Nsga2Evolver, TpeEvolver
from evonas.evolution.pygad_evolver import PygadEvolver
from evonas.evolution.pygad_run_evolver import PygadRunEvolver
from evonas.evolution.random_evolver import RandomEvolver
from evonas.registry import pick
from evonas.settings import EvolverSettings

EVOLVERS: Mapping[str, type[Evolver]] = {
    "pygad": PygadEvolver,
    "random": RandomEvolver,
    "aging": AgingEvolver,
    "tpe": TpeEvolver,
    "nsga2": Nsga2Evolver,
    "gp": GpEvolver,
}


def evolver_class(settings: EvolverSettings) -> type[Evolver]:
    """The evolver that the settings name: for `pygad` there are two engines.

    Raises:
        UnknownName: There is none of that name.
    """
    if settings.name == "pygad" and settings.engine == "pygad_run":
        return PygadRunEvolver
    return pick(EVOLVERS, settings.name, "evolver")


__all__ = ["EVOLVERS", "Evolver", "Proposal", "check_operators", "evolver_class"]
