"""The loop: propose or promote, submit, record, repeat. All else is a part that it calls."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from evonas import interrupts
from evonas.driver.confirmation import Confirmation
from evonas.driver.latency_screen import LatencyScreen
from evonas.driver.parents import Inheritance
from evonas.driver.precision_decisions import Precision
from evonas.driver.preparation import Setup
from evonas.driver.proxy_filter import ProxyFilter
from evonas.driver.reuse import Reuse
from evonas.driver.rungs import Rungs
from evonas.driver.schedules import SCHEDULES
from evonas.driver.siblings import Siblings
from evonas.driver.stopping import Stopping
from evonas.driver.teachers import Teachers
from evonas.driver.user_callbacks import Callbacks
from evonas.errors import BuildError
from evonas.executors import Executor
from evonas.reports.progress import Display
from evonas.runs.ledger import Ledger
from evonas.runs.records import Records
from evonas.runs.run_folder import has_weights, keep_weights
from evonas.trial import Assignment, KeptWeights, Outcome, SharedTraining, Trial

PROMOTING = (None, "evaluations", "space exhausted")  # ends that let promotions go on


class Search:
    """One driver at work on one run."""

    def __init__(
        self,
        setup: Setup,
        records: Records,
        ledger: Ledger,
        executor: Executor,
        display: Display,
        callbacks: Callbacks | None = None,
    ) -> None:
        self.setup = setup
        self.callbacks = callbacks
        self.settings = setup.settings
        self.evaluator = setup.evaluator
        self.records = records
        self.ledger = ledger
        self.executor = executor
        self.display = display
        self.schedule = SCHEDULES[self.settings.schedule](setup.evolver, records)
        self.stopping = Stopping(records, self.settings.budget, setup.space.size)
        self.rungs = Rungs(records, self.settings.fidelity)
        self.confirmation = Confirmation(records, self.settings.confirm, setup.space)
        self.inheritance = Inheritance(records, self.settings.training, setup.space)
        self.teachers = Teachers(records, self.settings, setup.space, setup.evaluator.bench)
        self.reuse = Reuse(setup.evaluator, self.teachers)
        self.siblings = Siblings(records, setup.evaluator, setup.space, setup.folder, self.teachers)
        self.screen = LatencyScreen(records, self.settings, setup.evaluator.bench)
        self.filter = ProxyFilter(records, self.settings.filter, setup.evaluator.bench)
        self.precision = Precision(setup.evaluator, ledger)
        self.in_flight: dict[int, str] = {}  # submitted trials and their keys
        self.trained: dict[int, str] = {}  # those of them that siblings wait for, by training
        self.waiting: list[Trial] = []  # for an equal trial in flight
        self.waiting_siblings: list[Trial] = []  # for a training in flight
        self.free_in_a_row = 0
        for outcome in records.outcomes.values():
            self._remember(outcome)

    def run(self) -> str:
        """Works until the search is over; why it is."""
        over = self._end()
        if over is not None and not self.records.unfinished and not self._has_more(over):
            return over
        with self.executor:
            self.ledger.begin_session(self.executor.workers)
            self.display.begin(self.records)
            for unfinished in self.records.unfinished:
                self._start(unfinished)
            while True:
                while self._has_room() and (trial := self._next()) is not None:
                    self._start(trial)
                if not self.in_flight:
                    return self._why_over()
                self._record(self.executor.wait())
                interrupts.check()

    def _next(self) -> Trial | None:
        """The next trial, on record: a promotion if one is due, a new design, or a confirmation."""
        over = self._end()
        source = self._promotable(over)
        if source is not None:
            return self._put_on_record(self.rungs.promotion(source), len(self.records.outcomes))
        if over is None:
            return self._propose()
        finalist = self._confirmable()
        if finalist is None:
            return None
        seed = trial_seed(self.settings.run.seed, self.records.next_number)
        trial = self.confirmation.trial(finalist, seed)
        return self._put_on_record(trial, len(self.records.outcomes))

    def _has_more(self, over: str) -> bool:
        """True if trials are left to do once no further design is proposed."""
        return self._promotable(over) is not None or self._confirmable() is not None

    def _confirmable(self) -> int | None:
        """The trial whose design is trained again now, if there is one and the budget lasts."""
        if self.stopping.spent(self._begun(), self.display.seconds):
            return None
        return self.confirmation.due()

    def _promotable(self, over: str | None) -> int | None:
        """The trial whose design goes on to the next rung now, if there is one."""
        source = self.rungs.promotable() if over in PROMOTING else None
        if source is None and over is not None and not self.in_flight:
            return self.rungs.last_try()
        return source

    def _propose(self) -> Trial | None:
        """A new design's trial, on record; None while the schedule waits for outcomes."""
        proposed = self.schedule.next()
        if proposed is None:
            return None
        number, proposal, seen = proposed
        trial = Trial(
            number,
            proposal.chromosome,
            self.setup.space.decode(proposal.chromosome),
            trial_seed(self.settings.run.seed, number),
            proposal.parents,
            proposal.operator,
        )
        return self._put_on_record(trial, seen)

    def _put_on_record(self, trial: Trial, seen: int) -> Trial:
        self.ledger.add_trials([trial], seen)
        self.records.add_trial(trial, seen)
        return trial

    def _start(self, trial: Trial) -> None:
        """Submits the trial, or finishes it here if nothing is left to find out."""
        try:
            counted = self.evaluator.count(trial.blueprint)
        except BuildError as error:
            self._record(unbuilt(trial, error))
            return
        infeasible = self.evaluator.infeasible(trial.number, counted)
        if trial.confirms is not None:  # of what others found out it takes nothing
            self.in_flight[trial.number] = f"confirmation {trial.number}"
            self._submit(trial, counted, None, None)
        elif infeasible is not None:
            self._record(infeasible)
        elif (key := self.reuse.key(trial)) in self.in_flight.values():
            self.waiting.append(trial)
        elif self._is_training_in_flight(trial, key):
            self.waiting_siblings.append(trial)
        else:
            self._start_with(trial, counted, key)

    def _is_training_in_flight(self, trial: Trial, key: str) -> bool:
        """Whether the trial is to wait for the training that it will share."""
        return (
            self.siblings.is_on
            and self.reuse.equal(key) is None
            and self.siblings.key(trial) in self.trained.values()
        )

    def _start_with(self, trial: Trial, counted: Mapping[str, float], key: str) -> None:
        """The same of a trial that may be worth a training."""
        earlier = self.reuse.equal(key)
        shared = None if earlier is not None else self.siblings.shared(trial)
        known = {**self.reuse.known(trial.blueprint, earlier), **counted}
        outcome = self._settled(trial, known, earlier)
        if outcome is None and earlier is None and shared is None:
            known |= self.filter.scored(trial, known)
            outcome = self.filter.dropped(trial, known)
        if outcome is not None:
            self._record(outcome)
        else:
            self.in_flight[trial.number] = key
            if self.siblings.is_on and earlier is None and shared is None:
                self.trained[trial.number] = self.siblings.key(trial)
            self._submit(trial, known, earlier, shared)

    def _settled(
        self, trial: Trial, known: Mapping[str, float], earlier: Outcome | None
    ) -> Outcome | None:
        """What is to be said of a trial without a worker; None if it needs one.

        Args:
            earlier: What came of an equal trial.
        """
        source = None if earlier is None else earlier.number
        if earlier is not None and earlier.status == "failed":
            return replace(earlier, number=trial.number, source=source, busy_seconds=0)
        if self.evaluator.is_complete(known):
            return Outcome(trial.number, "complete", known, source=source)
        return self.screen.too_slow(trial, known)

    def _submit(
        self,
        trial: Trial,
        known: Mapping[str, float],
        earlier: Outcome | None,
        shared: SharedTraining | None,
    ) -> None:
        self.display.started(trial)
        first = trial if shared is None else self.records.trials[shared.first]
        assignment = Assignment(
            trial,
            known=known,
            source=None if earlier is None else earlier.number,
            beginning=self._weights(self._begins_with(first)),
            bfloat16=earlier is None and self.precision.bfloat16(first),
            training=shared,
            teacher=self._weights(self.teachers.of(trial)),
        )
        self.executor.submit(assignment)

    def _weights(self, number: int | None) -> KeptWeights | None:
        """Those that a finished trial left."""
        if number is None:
            return None
        notes = self.records.outcomes[number].notes
        return KeptWeights(number, self.records.trials[number].blueprint, notes.weights_sha256)

    def _begins_with(self, trial: Trial) -> int | None:
        """The trial whose weights it begins with, if they are still there by then."""
        if trial.continues is not None:
            return self.records.trained_by(trial.continues)
        return self.inheritance.parent(trial)

    def _record(self, outcome: Outcome) -> None:
        """An outcome becomes durable, and only then counts."""
        outcome = self.rungs.as_pruned_below_top(self.evaluator.checked(outcome))
        scales = {name: self.evaluator.scale_of(name) for name in outcome.measures}
        self.ledger.add_outcome(outcome, scales)
        self.records.add_outcome(outcome)
        self.in_flight.pop(outcome.number, None)
        self.trained.pop(outcome.number, None)
        self._remember(outcome)
        self.free_in_a_row = self.free_in_a_row + 1 if outcome.is_free else 0
        by_number = self.settings.schedule == "generational"
        if self.records.freeze_reference_point(self.settings.reference_point, by_number):
            self.ledger.write_meta({"reference_point": self.records.volume.reference_point})
        self._keep_weights()
        self.display.finished(outcome, self.records)
        if self.callbacks is not None:
            self.callbacks.finished(outcome)
        again = sorted([*self.waiting, *self.waiting_siblings], key=lambda trial: trial.number)
        self.waiting, self.waiting_siblings = [], []
        for trial in again:
            self._start(trial)

    def _remember(self, outcome: Outcome) -> None:
        """What later trials need not find out again."""
        trial = self.records.trials[outcome.number]
        self.teachers.remember(trial, outcome)
        if trial.confirms is None:
            self.reuse.remember(trial, outcome)
            self.siblings.remember(trial, outcome)

    def _keep_weights(self) -> None:
        if has_weights(self.setup.folder):
            unfinished = self.records.unfinished
            begun = (self._begins_with(trial) for trial in unfinished)
            kept = {*self.in_flight, *(own for own in begun if own is not None)}
            for part in (self.records, self.rungs, self.inheritance, self.siblings):
                kept |= part.worth_keeping()
            kept |= self.teachers.worth_keeping([*kept, *(trial.number for trial in unfinished)])
            keep_weights(self.setup.folder, kept)

    def _has_room(self) -> bool:
        """Siblings wait beside the workers, so that these have something else to do meanwhile."""
        busy, workers = len(self.in_flight) + len(self.waiting), self.executor.workers
        return busy < workers and len(self.waiting_siblings) < workers

    def _end(self) -> str | None:
        """Why no further design is proposed, if so."""
        reserved, seconds = self.confirmation.trainings, self.display.seconds
        return self.stopping.reason(self._begun(), seconds, self.free_in_a_row, reserved)

    def _begun(self) -> int:
        """Trials at work that will count against the budget."""
        numbers = [*self.in_flight, *(trial.number for trial in self.waiting_siblings)]
        return sum(self.records.trials[number].continues is None for number in numbers)

    def _why_over(self) -> str:
        reason = self._end()
        assert reason is not None, "nothing in flight and nothing proposed means an end"
        return reason


def unbuilt(trial: Trial, error: BuildError) -> Outcome:
    """The outcome of a design that cannot be built, or that compression does not fit."""
    return Outcome(
        trial.number, "failed", error_kind="build_error", error_text="; ".join(error.problems)
    )


def trial_seed(run_seed: int, number: int) -> int:
    """The seed of a trial: of the run's seed and the number alone."""
    return int(np.random.SeedSequence([run_seed, number]).generate_state(1)[0])
