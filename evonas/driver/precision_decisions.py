"""Which trainings compute in bfloat16 where `training.amp=auto` leaves it open."""

from contextlib import suppress

from evonas.evaluation.bench import Bench
from evonas.evaluation.evaluator import Evaluator
from evonas.runs.ledger import Ledger
from evonas.trial import Trial

FACT = "bfloat16"  # in the ledger: family of networks to what was decided


class Precision:
    """Decides once in a run for each family of networks, by timing a few steps of the first.

    A decision is on record before any trial that goes by it is submitted; a resume keeps it.
    """

    def __init__(self, evaluator: Evaluator, ledger: Ledger) -> None:
        self.evaluator = evaluator
        self.ledger = ledger
        self.decisions: dict[str, bool] = ledger.meta().get(FACT, {})

    def bfloat16(self, trial: Trial) -> bool:
        """What `auto` means for the trial's training."""
        bench = self.evaluator.bench(trial.blueprint, trial.seed)
        family = None if bench is None else bench.precision_family()
        if bench is None or family is None:
            return False
        if family not in self.decisions:
            self.decisions[family] = _gains(bench)
            self.ledger.write_meta({FACT: self.decisions})
        return self.decisions[family]


def _gains(bench: Bench) -> bool:
    """See `Bench.gains_from_bfloat16`; the trial of what cannot run will say why."""
    with suppress(RuntimeError):
        return bench.gains_from_bfloat16()
    return False
