"""The trainings of a tuning, one after the other, and what came of them."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from evonas.delivery.tuning.scored_training import Hopeless, ScoredTraining, as_long_as
from evonas.delivery.tuning.study import Tried, TuningStudy
from evonas.delivery.tuning.tuned_settings import values_at
from evonas.errors import ExportError, TrialFailure
from evonas.reports.tuning_lines import Tunings
from evonas.settings import BudgetSettings, TrainingSettings
from evonas.tasks import task_of
from evonas.training.rates import peak_rate


@dataclass
class Tuning:
    """One tuning at work. Trial 0 is the recipe itself."""

    seed: int
    study: TuningStudy
    trainer: ScoredTraining
    budget: BudgetSettings
    seeds: int
    display: Tunings

    def run(self) -> None:
        """All trainings that the budget has, but for those that are done."""
        again = sum(len(scores) for scores in self.study.again().values())
        self.display.begin(self.budget.evaluations, len(self.study.tried()) + again)
        with self.display:
            self._check_recipe()
            while self._has_room():
                self._train_next()
                self._check_recipe()
            for number, seed in self._outstanding():
                self._train_again(number, seed)

    def recipe_of(self, number: int) -> TrainingSettings:
        """The recipe with the settings of a training."""
        return self._recipe.model_copy(update=self._values(number))

    @property
    def winner(self) -> int:
        """The best of those that were trained again; 0 unless another one is better."""
        numbers = sorted({0, *self.study.again()})  # of equal ones the first, the recipe above all
        return max(numbers, key=lambda number: self._worth(self._mean(number)))

    def result(self) -> dict[str, Any]:
        """What came of it, in plain values."""
        tried, problem = self.study.tried(), self.trainer.data.problem
        measure = task_of(problem).measures[task_of(problem).main]
        shown = self.winner or self._best
        again, base = self.study.again(), self.recipe_of(0)
        return {
            "measure": task_of(problem).main,
            "title": measure.title,
            "settings": {
                name: [getattr(base, name), value] for name, value in self._values(shown).items()
            },
            "number": shown,
            "score": next(one.score for one in tried if one.number == shown),
            "recipe_score": tried[0].score,
            "recipe_again": [*again.get(0, {}).values()],
            "best_again": [*again.get(shown, {}).values()] if shown else [],
            "written": self.winner != 0,
            "images": len(self.trainer.data.validation),
            "epochs": self.study.subject.epochs,
            "trainings": len(tried) + sum(map(len, again.values())),
            "pruned": sum(one.is_pruned for one in tried),
            "diverged": sum(one.diverged is not None for one in tried),
            "trials": [
                {
                    "number": one.number,
                    "state": "pruned" if one.is_pruned else "diverged" if one.diverged else "whole",
                    "score": one.score,
                    "epochs": one.epochs,
                    "seconds": one.seconds,
                    "settings": self._values(one.number) or {},
                }
                for one in tried
            ],
        }

    def _has_room(self) -> bool:
        """Whether the budget has another training to tune by."""
        tried = self.study.tried()
        spent = sum(one.seconds for one in tried)
        is_late = self.budget.seconds is not None and spent >= self.budget.seconds
        is_full = len(tried) >= self.budget.evaluations - 2 * self.seeds
        return not is_full and not (is_late and tried)

    def _train_next(self) -> None:
        trial = self.study.next()
        self.display.started(_name(trial.number), self.study.subject.epochs)
        start, score, diverged = time.monotonic(), None, None

        def is_hopeless(scores: Sequence[float]) -> bool:
            self.display.epoch(len(scores))
            return self.study.is_hopeless(trial, scores)

        values = values_at(trial.params) if trial.number else {}
        try:
            score = self._scored(self._recipe.model_copy(update=values), self.seed, is_hopeless)
        except TrialFailure as failure:
            diverged = str(failure)
        self.study.tell(trial, score, time.monotonic() - start, diverged)
        self.display.finished(self._told(self.study.tried()[-1]))

    def _train_again(self, number: int, seed: int) -> None:
        self.display.started(f"{_name(number)} again", self.study.subject.epochs)
        try:
            score = self._scored(self.recipe_of(number), seed, self._never_hopeless)
        except TrialFailure:
            score = None
        self.study.note_again(number, seed, score)
        self.display.finished("diverged" if score is None else self._score_told(score))

    def _scored(
        self, recipe: TrainingSettings, seed: int, is_hopeless: Callable[[Sequence[float]], bool]
    ) -> float | None:
        """The score of a training; None if it was ended early."""
        try:
            recipe = as_long_as(recipe, self.study.subject.epochs)
            return self.trainer.scored(recipe, seed, is_hopeless)
        except Hopeless:
            return None

    def _never_hopeless(self, scores: Sequence[float]) -> bool:
        self.display.epoch(len(scores))
        return False

    def _check_recipe(self) -> None:
        """Raises an ExportError if the training by the recipe diverged: nothing is near it."""
        tried = self.study.tried()
        if tried and tried[0].diverged is not None:
            rate = peak_rate(self._recipe)
            raise ExportError(
                f"The training by the recipe diverged: {tried[0].diverged}. Lower the learning "
                f"rate, which is {rate:g}: training.lr0={rate / 3:.2g}."
            )

    def _outstanding(self) -> list[tuple[int, int]]:
        """The trainings from fresh seeds that are to be done: of the recipe and of the best."""
        best, done = self._best, self.study.again()
        numbers = (0, best) if best else ()
        pairs = [(number, seed) for seed in self._fresh_seeds for number in numbers]
        return [(number, seed) for number, seed in pairs if seed not in done.get(number, {})]

    @property
    def _recipe(self) -> TrainingSettings:
        """That which is tuned."""
        base: TrainingSettings = TrainingSettings.model_validate(self.study.subject.recipe)
        return base

    @property
    def _fresh_seeds(self) -> list[int]:
        """Those that no training to tune by has had."""
        return [(self.seed + 1 + number) % 2**64 for number in range(self.seeds)]

    @property
    def _best(self) -> int:
        """The number of the best whole training."""
        whole = [one for one in self.study.tried() if not one.is_pruned and one.score is not None]
        return max(whole, key=lambda one: self._worth(one.score)).number

    def _worth(self, score: float | None) -> float:
        """More for a better score."""
        if score is None:
            return -math.inf
        return score if self.study.subject.maximises else -score

    def _mean(self, number: int) -> float | None:
        """Of a training from all fresh seeds; None if it was not done from all, or diverged."""
        again = self.study.again().get(number, {})
        scores = [again.get(seed) for seed in self._fresh_seeds]
        known = [score for score in scores if score is not None]
        return fmean(known) if len(known) == len(scores) else None

    def _values(self, number: int) -> dict[str, float]:
        """The tuned settings of a training; none of the recipe itself."""
        if number == 0:
            return {}
        return values_at(next(t.coordinates for t in self.study.tried() if t.number == number))

    def _told(self, tried: Tried) -> str:
        """What came of a training, in words."""
        if tried.diverged is not None:
            return "diverged"
        assert tried.score is not None, "one that did not diverge has a score"
        score = self._score_told(tried.score)
        if tried.is_pruned:
            return f"ended after epoch {tried.epochs}, {score}"
        return f"{score}, the best so far" if tried.number == self._best != 0 else score

    def _score_told(self, score: float) -> str:
        task = task_of(self.trainer.data.problem)
        return f"{task.measures[task.main].title} {score:.4f}"


def _name(number: int) -> str:
    return f"trial {number}" if number else "the recipe"
