"""What designs give when they are trained again, and which of them stand."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from evonas.trial import Outcome

if TYPE_CHECKING:
    from evonas.runs.records import Records


@dataclass(frozen=True)
class Confirmed:
    """What the trainings of one design from fresh seeds gave.

    `count` of them came to something: `means` and `deviations` (of a sample; there are none of a
    single one) are of these. What the search observed is no part of them: the design is here
    because that was high, so it flatters. `failed` trainings have no figures.
    """

    number: int
    count: int
    means: Mapping[str, float]
    deviations: Mapping[str, float]
    failed: int = 0


class Confirmations:
    """Grows with each finished confirmation of a run."""

    def __init__(self) -> None:
        self.confirmed: dict[int, Confirmed] = {}
        self._outcomes: dict[int, list[Outcome]] = {}

    def add(self, number: int, outcome: Outcome) -> None:
        """What came of a confirmation of this trial's design."""
        outcomes = self._outcomes.setdefault(number, [])
        outcomes.append(outcome)
        self.confirmed[number] = confirmed_of(number, outcomes)


def confirmed_of(number: int, outcomes: list[Outcome]) -> Confirmed:
    """The means of these trainings of a trial's design; of a measure that all have."""
    complete = [outcome.measures for outcome in outcomes if outcome.status == "complete"]
    names = (
        [name for name in complete[0] if all(name in own for own in complete)] if complete else []
    )
    values = {name: [own[name] for own in complete] for name in names}
    return Confirmed(
        number,
        len(complete),
        {name: fmean(each) for name, each in values.items()},
        {name: stdev(each) for name, each in values.items() if len(each) > 1},
        len(outcomes) - len(complete),
    )


def rank_correlation(records: "Records") -> float | None:
    """Kendall's tau-b of search and confirmation in the first objective, -1 to 1.

    None of fewer than two designs, or if either gave all of them the same.
    """
    name = records.objectives[0].name
    numbers = [number for number, own in records.confirmed.items() if own.count]
    if len(numbers) < 2:
        return None
    from scipy.stats import kendalltau  # takes a while to load

    searched = [records.outcomes[number].measures[name] for number in numbers]
    again = [records.confirmed[number].means[name] for number in numbers]
    if len(set(searched)) == 1 or len(set(again)) == 1:
        return None
    return float(kendalltau(searched, again).statistic)
