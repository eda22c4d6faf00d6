"""Which earlier trial teaches a design that learns from the best of its run, and for how long."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from evonas.blueprint import Blueprint, scaled_network
from evonas.evaluation.bench import Bench
from evonas.networks import strides
from evonas.runs.records import Records
from evonas.settings import Settings
from evonas.space.search_space import SearchSpace
from evonas.trial import Outcome, Trial

BEST = "best"

Levels = tuple[int, ...]


@dataclass(frozen=True)
class _Leader:
    """A trial that was the best from this finished event on, by its first objective."""

    events: int
    number: int
    fitness: float


class Teachers:
    """Watches the records of a run in which designs, or some, may learn from the best so far.

    Who teaches a trial depends on what had finished when its design was proposed, so a run that was
    stopped has the same teachers. Of detectors it is the best that looks at the same levels.
    """

    def __init__(
        self,
        records: Records,
        settings: Settings,
        space: SearchSpace,
        bench: Callable[[Blueprint], Bench | None],
    ) -> None:
        self.records = records
        self.bench = bench
        own, genes = settings.compression.distillation, space.template["compression"]
        is_asked = own.method != "none" or "distillation" in genes
        self.is_on = settings.evaluator.trains and own.teacher == BEST and is_asked
        self._leaders: dict[Levels, list[_Leader]] = {}
        self._events = 0
        self._found: dict[int, int | None] = {}

    def remember(self, trial: Trial, outcome: Outcome) -> None:
        """Notes whether this is the best trial so far; to be told of each outcome."""
        self._events += 1
        fitness = self.records.fitness(outcome) if self.is_on else None
        if fitness is None or outcome.status != "complete":
            return
        leaders = self._leaders.setdefault(self._levels(trial.blueprint), [])
        one = _Leader(self._events, trial.number, fitness[0])
        if not leaders or (one.fitness, -one.number) > (leaders[-1].fitness, -leaders[-1].number):
            leaders.append(one)

    def of(self, trial: Trial) -> int | None:
        """The trial whose trained weights teach; None if nobody does, or nobody had finished."""
        if not self.is_on:
            return None
        if trial.number not in self._found:
            self._found[trial.number] = self._teacher(trial)
        return self._found[trial.number]

    def marked(self, key: str, trial: Trial) -> str:
        """The key of a training, together with who teaches in it."""
        number = self.of(trial)
        return key if number is None else f"{key}-by-{number}"

    def _teacher(self, trial: Trial) -> int | None:
        if not self._learns(trial.blueprint):
            return None
        if trial.continues is not None:
            return self.of(self.records.trials[trial.continues])
        seen = self.records.seen[trial.number]
        leaders = self._leaders.get(self._levels(trial.blueprint), ())
        known = [one.number for one in leaders if one.events <= seen]
        return self.records.trained_by(known[-1]) if known else None

    def worth_keeping(self, kept: Iterable[int]) -> set[int]:
        """The teachers of these trials, of which any may be trained again."""
        found = (self.of(self.records.trials[number]) for number in kept) if self.is_on else ()
        return {number for number in found if number is not None}

    def _learns(self, design: Blueprint) -> bool:
        return self._on_bench(design).compression.distillation.method != "none"

    def _levels(self, design: Blueprint) -> Levels:
        return strides(scaled_network(design, self._on_bench(design).kit.proxy))

    def _on_bench(self, design: Blueprint) -> Bench:
        bench = self.bench(design)
        assert bench is not None, "what is trained can be put on the bench"
        return bench
