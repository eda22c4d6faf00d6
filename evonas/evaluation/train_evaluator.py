"""The evaluation that evonas is made for: count, measure latency at full scale, train the proxy."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evonas.blueprint import Blueprint
from evonas.compression.compress import changes_training
from evonas.evaluation.bench import Bench
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.kit import Kit
from evonas.evaluation.measures import (
    BEFORE_TRAINING,
    COSTS,
    LATENCIES,
    MEASURES,
    Cost,
    before,
    is_trained,
    measure_scale,
)
from evonas.evaluation.proxies import PROXIES
from evonas.evaluation.segments import added_segments
from evonas.key import key_of
from evonas.space import Scale, network_key
from evonas.tasks.task import LOSS
from evonas.trial import Assignment, Notes, Outcome, Trial

ALWAYS_MEASURED = (LOSS, "macs", "parameters")  # and the main measure of the task
WITHOUT_INFLUENCE = {"log", "compile", "cuda_graphs"}  # on what a training gives


@dataclass(frozen=True)
class TrainEvaluator(Evaluator):
    """Trains the design at proxy scale, measures it at the scale that the settings say.

    For the fields see `Kit`.
    """

    proxy: Scale
    full: Scale
    trials: Path
    reference_ms: float

    @property
    def kit(self) -> Kit:
        """What all designs are measured with."""
        return Kit(self.settings, self.proxy, self.full, self.trials, self.reference_ms)

    def bench(self, design: Blueprint, seed: int = 0) -> Bench:
        return Bench(self.kit, design, seed)

    def prepare(self) -> None:
        kit = self.kit
        fidelity, recipe = self.settings.fidelity, self.settings.training
        for segment in added_segments(fidelity, recipe, self.proxy.resolution_px):
            kit.data(segment.resolution_px, segment.percent)
        if not LATENCIES.isdisjoint(self.measured):
            kit.clock()

    def training_key(self, blueprint: Blueprint) -> str:
        kit = self.kit
        recipe = kit.recipe(blueprint).model_dump(mode="json", exclude=WITHOUT_INFLUENCE)
        own = changes_training(kit.compression(blueprint))
        more = [own] if own else []
        return key_of([network_key(blueprint, self.proxy), recipe, kit.data_key, *more])

    def outcome_key(self, blueprint: Blueprint) -> str:
        key, own = self.training_key(blueprint), self.kit.compression(blueprint).meant()
        return key_of([key, own]) if own else key

    def building_key(self, blueprint: Blueprint) -> str:
        key = network_key(blueprint, self.kit.measured)
        bench = self.bench(blueprint)
        if bench.is_compressed:
            key = key_of([key, bench.deployed_key(self.kit.measured)])
        if PROXIES.keys().isdisjoint(self.measured):
            return key
        return key_of([key, network_key(blueprint, self.proxy)])

    def count(self, blueprint: Blueprint) -> Mapping[str, float]:
        bench = self.bench(blueprint)
        bench.check()
        return {name: bench.take(name) for name in self.taken_by("count")}

    def scale_of(self, measure: str) -> str:
        return measure_scale(measure, self.settings.measure.scale)

    def cost_of(self, measure: str) -> Cost:
        return MEASURES[measure].cost

    @property
    def measured(self) -> Sequence[str]:
        return list(dict.fromkeys([*super().measured, self.kit.task.main, *ALWAYS_MEASURED]))

    @property
    def recorded(self) -> Sequence[str]:
        return list(dict.fromkeys([*self.measured, *self._beside_compression]))

    @property
    def _beside_compression(self) -> tuple[str, str]:
        """What is measured of each design of which something else is deployed than was trained."""
        return before(self.kit.task), "compression_loss"

    def __call__(self, assignment: Assignment) -> Outcome:
        start = time.perf_counter()
        trial = assignment.trial
        bench = Bench(self._kit_of(trial), trial.blueprint, trial.seed, assignment)
        with bench.kit.threads():
            measures, broken = self._measures(bench, assignment)
        seconds = time.perf_counter() - start
        training, latencies = bench.training_done, [*bench.latencies_taken.values()]
        return Outcome(
            trial.number,
            "complete" if broken is None else "infeasible",
            measures,
            curve=training.curve if training else (),
            seconds=seconds,
            busy_seconds=seconds - sum(latency.waited_s for latency in latencies),
            error_text=broken.error_text if broken else None,
            notes=training.notes if training else Notes(),
            details={
                **({"latency": latencies[0].to_dict()} if latencies else {}),
                **(training.details if training else {}),
                **({"compression": bench.ladder()} if bench.compression_done else {}),
            },
            source=assignment.source,
        )

    def _kit_of(self, trial: Trial) -> Kit:
        epochs = self.settings.confirm.epochs
        return self.kit if trial.confirms is None or epochs is None else self.kit.as_long_as(epochs)

    def _measures(
        self, bench: Bench, assignment: Assignment
    ) -> tuple[dict[str, float], Outcome | None]:
        """What is measured, cheap things first; if a constraint is broken, no training is done."""
        measures = dict(assignment.known)
        for cost in COSTS:
            for name in self.taken_by(cost):
                if name not in measures:
                    measures[name] = bench.take(name)
            is_judged = cost in BEFORE_TRAINING and not bench.is_confirmation  # by its mean
            broken = self._broken(assignment.trial, measures) if is_judged else None
            if broken is not None:
                return measures, broken
        if bench.is_compressed:
            for name in self._beside_compression:
                if name not in measures:
                    measures[name] = bench.take(name)
        return measures, None

    def _broken(self, trial: Trial, measures: Mapping[str, float]) -> Outcome | None:
        """See `Evaluator.infeasible`; a short training need not keep limits on what it gives."""
        is_short = trial.rung < len(self.settings.fidelity.rungs) - 1
        judged = {n: v for n, v in measures.items() if not (is_short and is_trained(n))}
        return self.infeasible(trial.number, judged)
