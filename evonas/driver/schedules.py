"""When designs are proposed, and how much of the history a proposal sees."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace

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
    budget is proposed again when it is needed, and comes out the same. The evolver counts designs,
    and so knows nothing of confirmations.
    """

    def __init__(self, evolver: Evolver, records: Records) -> None:
        super().__init__(evolver, records)
        self._generation: list[Proposal] = []
        self._first = -1

    def next(self) -> Next | None:
        number, histories = self.records.next_number, self.records.histories
        place = histories.begun
        generation = self.evolver.generation(place)
        first = generation.start
        if first != self._first:
            if histories.finished_in_order < first:
                return None
            self._generation = self.evolver.propose(histories.by_number(first), generation)
            self._first = first
        proposal = self._generation[place - first]
        parents = tuple(histories.number_of(parent, number) for parent in proposal.parents)
        return number, replace(proposal, parents=parents), histories.number_of(first, number)


SCHEDULES: Mapping[str, type[Schedule]] = {
    "async": AsyncSchedule,
    "generational": GenerationalSchedule,
}
