"""The last part of a search: its finalists are trained again, from fresh seeds."""

from evonas import pareto
from evonas.evolution.surrogate import posterior_means
from evonas.runs.records import Records
from evonas.settings import ConfirmSettings
from evonas.space.search_space import SearchSpace
from evonas.trial import Trial


class Confirmation:
    """Watches the records of a run; without finalists in the settings nothing is trained again.

    It waits for all trials of the search, so that who the finalists are does not depend on which
    worker was faster, and goes round among them: after each round they have had as much.
    """

    def __init__(self, records: Records, settings: ConfirmSettings, space: SearchSpace) -> None:
        self.records = records
        self.settings = settings
        self.space = space
        self._finalists: tuple[int, list[int]] = 0, []  # of so many feasible designs

    @property
    def trainings(self) -> int:
        """How many evaluations it takes, at most."""
        return self.settings.top * self.settings.seeds

    @property
    def finalists(self) -> list[int]:
        """Trials whose designs are trained again, the first choice first."""
        designs = len(self.records.feasible)
        if self._finalists[0] != designs:
            self._finalists = designs, finalists(self.records, self.space, self.settings.top)
        return self._finalists[1]

    def due(self) -> int | None:
        """The finalist to train again next; None if there is none, or the search is at work yet."""
        if not self.settings.top or self.records.histories.in_flight:
            return None
        rounds = {number: self._rounds(number) for number in self.finalists}
        number = min(rounds, key=rounds.__getitem__, default=None)
        return None if number is None or rounds[number] >= self.settings.seeds else number

    def _rounds(self, number: int) -> int:
        """How often the design was trained again, or is being."""
        return len(self.records.confirmations.get(number, ()))

    def trial(self, finalist: int, seed: int) -> Trial:
        """The trial that trains a finalist's design again."""
        trial = self.records.trials[finalist]
        return Trial(
            self.records.next_number,
            trial.chromosome,
            trial.blueprint,
            seed,
            (finalist,),
            "confirmation",
            trial.rung,
            confirms=finalist,
        )


def finalists(records: Records, space: SearchSpace, top: int) -> list[int]:
    """So many designs of a search: the best as observed and those expected to be, in turn.

    An observation may be luck; what the surrogate expects takes into account how similar designs
    did, and may be wrong about one that is like no other. Of several objectives both rank by front
    and crowding distance. What is confirmed already changes nothing, so that a search that was
    stopped has the same finalists.
    """
    numbers = _different(records)
    observed = records.observed_matrix(numbers)
    orders = [pareto.best_first(observed)]
    expected = posterior_means(space, records.finished(numbers))
    if expected is not None:
        orders.append(pareto.best_first(expected))
    turns = (numbers[place] for places in zip(*orders, strict=True) for place in places)
    return list(dict.fromkeys(turns))[:top]


def _different(records: Records) -> list[int]:
    """The feasible trials without those that share both training and fitness with another."""
    trainings = [records.trained_by(number) for number in records.feasible]
    fitness = records.observed_matrix(records.feasible).tolist()
    keys = ((own, *values) for own, values in zip(trainings, fitness, strict=True))
    first: dict[tuple[float, ...], int] = {}
    for key, number in zip(keys, records.feasible, strict=True):
        first.setdefault(key, number)
    return list(first.values())
