"""Which earlier trial teaches a design that learns from the best of its run, and for how long."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from evonas.blueprint import Blueprint, scaled_network
from evonas.data.readers import DATA_SETS
from evonas.evaluation.bench import Bench
from evonas.evaluation.objectives import Objective, parse_objective
from evonas.networks import strides
from evonas.runs.records import Records
from evonas.settings import Settings
from evonas.space.search_space import SearchSpace
from evonas.tasks import TASKS
from evonas.trial import Outcome, Trial

BEST = "best"

Levels = tuple[int, ...]


@dataclass(frozen=True)
class _Leader:
    """A trial that was the best from this finished event on; larger fitness is better."""

    events: int
    number: int
    fitness: float


class Teachers:
    """Watches the records of a run in which designs, or some, may learn from the best so far.

    Who teaches a trial depends on what had finished when its design was proposed, so a run that was
    stopped has the same teachers. The best is told by the first objective that is a score of a
    trained network, or without one by the main score. Of detectors it is the best of the same
    levels.
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
        self.judge = judge_of(settings, records.objectives) if self.is_on else None
        self._leaders: dict[Levels, list[_Leader]] = {}
        self._events = 0
        self._found: dict[int, int | None] = {}

    def remember(self, trial: Trial, outcome: Outcome) -> None:
        """Notes whether this is the best trial so far; to be told of each outcome."""
        self._events += 1
        if self.judge is None or trial.confirms is not None or not self._may_teach(outcome):
            return
        leaders = self._leaders.setdefault(self._levels(trial.blueprint), [])
        fitness = self.judge.fitness(outcome.measures[self.judge.name])
        one = _Leader(self._events, trial.number, fitness)
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
        earlier = trial.continues if trial.confirms is None else trial.confirms
        if earlier is not None:
            return self.of(self.records.trials[earlier])
        seen = self.records.seen[trial.number]
        leaders = self._leaders.get(self._levels(trial.blueprint), ())
        known = [one.number for one in leaders if one.events <= seen]
        return self.records.trained_by(known[-1]) if known else None

    def worth_keeping(self, kept: Iterable[int]) -> set[int]:
        """The best so far, and the teachers of these trials, of which any may be trained again."""
        if not self.is_on:
            return set()
        best = {self.records.trained_by(own[-1].number) for own in self._leaders.values()}
        found = (self.of(self.records.trials[number]) for number in kept)
        return best | {number for number in found if number is not None}

    def _may_teach(self, outcome: Outcome) -> bool:
        return outcome.status == "complete" and self.records.fitness(outcome) is not None

    def _learns(self, design: Blueprint) -> bool:
        return self._on_bench(design).compression.distillation.method != "none"

    def _levels(self, design: Blueprint) -> Levels:
        return strides(scaled_network(design, self._on_bench(design).kit.proxy))

    def _on_bench(self, design: Blueprint) -> Bench:
        bench = self.bench(design)
        assert bench is not None, "what is trained can be put on the bench"
        return bench


def judge_of(settings: Settings, objectives: Sequence[Objective]) -> Objective:
    """The score by which a trained network is the best of a run."""
    task = TASKS[DATA_SETS[settings.data.name].task]
    scores = (objective for objective in objectives if objective.name in task.measures)
    return next(scores, parse_objective(task.main))
