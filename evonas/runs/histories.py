"""What evolvers see of a run: its designs in the order they finished, or by number."""

from dataclasses import replace

from evonas.trial import Finished, History, Prefix, Trial


class Histories:
    """Grows with each trial and each outcome; both its lists only grow, and are never replaced.

    Confirmations are in none of them: a search goes on as if nothing had been confirmed.
    """

    def __init__(self) -> None:
        self.first_unfinished = 0  # the first number without an outcome, be it proposed or not
        self.order: list[int] = []  # in which trials finished, confirmations among them
        self._trials: dict[int, Trial] = {}  # no confirmations
        self._unfinished: dict[int, Trial] = {}  # of these
        self._begun: list[int] = []  # the numbers of these that are no promotions
        self._finished: list[Finished] = []
        self._by_number: list[Finished] = []  # up to the first number that is not finished
        self._beyond: dict[int, Finished] = {}  # that number

    def add_trial(self, trial: Trial) -> None:
        """A proposal."""
        if trial.confirms is not None:
            return
        self._trials[trial.number] = self._unfinished[trial.number] = trial
        if trial.continues is None:
            self._begun.append(trial.number)

    def add(self, past: Finished) -> None:
        """A finished trial."""
        self.order.append(past.number)
        self._beyond[past.number] = past
        if past.number in self._trials:
            self._finished.append(past)
            del self._unfinished[past.number]
            if not self._unfinished:
                self._unfinished.clear()  # or it would stay as large as it once was
        while (following := self._beyond.pop(self.first_unfinished, None)) is not None:
            self.first_unfinished += 1
            if following.number in self._trials:
                self._by_number.append(self._at_place(following))

    def _at_place(self, past: Finished) -> Finished:
        """Its number is its place among designs, which confirmations do not move."""
        place = len(self._by_number)
        return past if past.number == place else replace(past, number=place)

    @property
    def in_flight(self) -> bool:
        """True if a trial has no outcome yet that is no confirmation."""
        return bool(self._unfinished)

    @property
    def begun(self) -> int:
        """How many designs were proposed: trials that are neither promotions nor confirmations."""
        return len(self._begun)

    @property
    def finished_in_order(self) -> int:
        """How many designs have finished before the first number that has not."""
        return len(self._by_number)

    def number_of(self, place: int, following: int) -> int:
        """The number of the trial of this design, counted from 0; of the next one, `following`."""
        return self._begun[place] if place < self.begun else following

    def by_finish(self, events: int | None = None) -> History:
        """After so many finished events, all if None; trials of now without one are in flight."""
        finished, in_flight = Prefix(self._finished), self._unfinished
        if events is not None and events < len(self.order):
            done = self._trials.keys() & self.order[:events]
            finished = Prefix(self._finished, len(done))
            in_flight = {n: trial for n, trial in self._trials.items() if n not in done}
        return History(finished, {n: trial.chromosome for n, trial in in_flight.items()})

    def by_number(self, place: int) -> History:
        """All designs before this one."""
        assert place <= self.finished_in_order, "a generation waits for all before it"
        return History(Prefix(self._by_number, place))
