"""When designs are proposed, and how much of the history a proposal sees."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from evonas.driver.rungs import ExtrapolatedHistory
from evonas.evolution import Evolver, Proposal
from evonas.runs.records import Records

Next = tuple[int, Proposal, int]  # number, proposal, finished events that it had seen


class Schedule(ABC):
    """Hands out numbered proposals, one at a time."""

    def __init__(self, evolver: Evolver, records: Records) -> None:
        self.evolver = evolver
        self.records = records

    @abstractmethod
    def next(self) -> Next | None:
        """The next proposal; None while it has to wait for outcomes."""


class AsyncSchedule(Schedule):
    """A proposal whenever a worker is free, from all that has finished by then.

    The evolver knows nothing of rungs: promotions are neither numbered nor shown to it.
    """

    def __init__(self, evolver: Evolver, records: Records) -> None:
        super().__init__(evolver, records)
        self._extrapolated = ExtrapolatedHistory()

    def next(self) -> Next:
        records = self.records
        history = records.history()
        if records.pruned:
            history = self._extrapolated(history)
        proposal = self.evolver.propose(history, [records.begun])[0]
        return records.next_number, proposal, len(records.outcomes)


class GenerationalSchedule(Schedule):
    """Whole generations, each from all generations before it, ordered by number.

    So nothing depends on which worker was faster. A generation cut short by a kill or by the
    budget is proposed again when it is needed, and comes out the same.
    """

    def __init__(self, evolver: Evolver, records: Records) -> None:
        super().__init__(evolver, records)
        self._generation: list[Proposal] = []
        self._first = -1

    def next(self) -> Next | None:
        number = self.records.next_number
        generation = self.evolver.generation(number)
        first = generation.start
        if first != self._first:
            if self.records.first_unfinished < first:
                return None
            self._generation = self.evolver.propose(self.records.history_before(first), generation)
            self._first = first
        return number, self._generation[number - first], first


SCHEDULES: Mapping[str, type[Schedule]] = {
    "async": AsyncSchedule,
    "generational": GenerationalSchedule,
}
