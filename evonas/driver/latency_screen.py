"""Leaves out designs that would surely be too slow, by a latency foretold from this run's own."""

from collections.abc import Callable, Iterator, Mapping

from evonas.blueprint import Blueprint
from evonas.evaluation.bench import Bench
from evonas.hardware.predictor import LatencyPredictor
from evonas.networks.plan import Plan
from evonas.runs.records import Records
from evonas.settings import Settings
from evonas.trial import Notes, Outcome, Trial

MEASURE = "latency_ms"
FEWEST = 12  # measured designs that a prediction is made from
MOST = 200  # the same: the latest ones, since learning takes their number to the third power
GROWTH = 1.1  # learnt anew when there are so many times more of them
ERRORS = 3  # standard errors that a prediction has to be beyond the limit by

Measured = tuple[Blueprint, float]  # a finished design and its latency in ms


def check_screen(settings: Settings) -> Iterator[str]:
    """What is wrong with the settings of the screen, in words."""
    if not settings.latency.predictor:
        return
    if not settings.evaluator.trains:
        yield (
            "latency.predictor=true needs evaluator=train, got evaluator="
            f"{settings.evaluator.name}."
        )
    if _limit(settings) is None:
        yield (
            "latency.predictor=true has no effect without a limit. Set "
            "constraints.latency_ms.max=MILLISECONDS, or leave latency.predictor out."
        )


class LatencyScreen:
    """Watches the records of a run; unless the settings ask for it nothing is left out.

    Which designs are depends on what had finished when they were proposed: so a resumed run
    decides as one that was never interrupted.

    Args:
        bench: Puts a design on the bench (see `Evaluator.bench`).
    """

    def __init__(
        self, records: Records, settings: Settings, bench: Callable[[Blueprint], Bench | None]
    ) -> None:
        self.records = records
        self.limit_ms = _limit(settings) if settings.latency.predictor else None
        self._bench = bench
        self._events: list[Measured | None] = []  # one for each finished trial that was looked at
        self._learnt: tuple[int, LatencyPredictor] | None = None  # of so many

    def too_slow(self, trial: Trial, known: Mapping[str, float]) -> Outcome | None:
        """The outcome of a trial that is foretold to break the limit; None if it may keep it."""
        if self.limit_ms is None or MEASURE in known or self._in_int8(trial.blueprint):
            return None
        predictor = self._predictor(self.records.seen[trial.number])
        if predictor is None:
            return None
        ms, error = predictor.predict(self._plan(trial.blueprint))
        if not ms * (1 - ERRORS * error) > self.limit_ms:
            return None
        said = f"latency_ms is predicted as {ms:.6g}, give or take {error:.0%}"
        return Outcome(
            trial.number,
            "infeasible",
            known,
            error_text=f"{said}, at most {self.limit_ms:.6g} is asked",
            notes=Notes(foretold={MEASURE: ms}),
            details={"relative_error": error},
        )

    def _predictor(self, events: int) -> LatencyPredictor | None:
        """What the first so many finished trials teach, if they are enough."""
        self._events += map(self._told, self.records.since(len(self._events)))
        measured = [event for event in self._events[:events] if event is not None]
        count = length_to_learn(len(measured))
        if count is None:
            return None
        if self._learnt is None or self._learnt[0] != count:
            latest = measured[max(0, count - MOST) : count]
            plans = [self._plan(design) for design, _ in latest]
            self._learnt = count, LatencyPredictor.learn(plans, [ms for _, ms in latest])
        return self._learnt[1]

    def _plan(self, design: Blueprint) -> Plan:
        bench = self._on_bench(design)
        return bench.deployed_plan(bench.kit.deployed)

    def _in_int8(self, design: Blueprint) -> bool:
        """Whether its plan does not tell how long it takes: of 8 bits that is another matter."""
        return self._on_bench(design).compression.quantisation.computes_in_int8

    def _on_bench(self, design: Blueprint) -> Bench:
        bench = self._bench(design)
        assert bench is not None, "what has a latency can be put on the bench"
        return bench

    def _told(self, outcome: Outcome) -> Measured | None:
        """Repeats, promotions and what has no latency tell nothing."""
        trial = self.records.trials[outcome.number]
        is_new = outcome.source is None and trial.continues is None and trial.confirms is None
        ms = outcome.measures.get(MEASURE, 0.0)
        is_told = is_new and ms > 0 and not self._in_int8(trial.blueprint)
        return (trial.blueprint, ms) if is_told else None


def length_to_learn(measured: int) -> int | None:
    """How many of so many measured designs are learnt from, always the same; None if too few.

    >>> [length_to_learn(measured) for measured in (11, 12, 13, 14, 100)]
    [None, 12, 13, 14, 99]
    """
    if measured < FEWEST:
        return None
    length = FEWEST
    while (further := max(length + 1, round(length * GROWTH))) <= measured:
        length = further
    return length


def _limit(settings: Settings) -> float | None:
    limits = settings.constraints.get(MEASURE)
    return None if limits is None else limits.max
