"""How far a run has come in one figure: the hypervolume of its front over a reference point."""

from collections.abc import Sequence

import numpy as np

from evonas.evaluation.objectives import Objective
from evonas.runs.archive import Archive

Fitness = tuple[float, ...]


class Hypervolume:
    """Of an archive that grows; also knows when it last grew."""

    def __init__(self, objectives: Sequence[Objective], archive: Archive) -> None:
        self.objectives = objectives
        self.archive = archive
        self.grown_at = 0  # evaluations by then
        self._entered: list[tuple[int, Fitness]] = []  # evaluations by then, and what was new
        self._reference_point: tuple[float, ...] | None = None

    @property
    def reference_point(self) -> tuple[float, ...] | None:
        """Where it starts, in measures' own units; None until that is fixed."""
        return self._reference_point

    @reference_point.setter
    def reference_point(self, point: tuple[float, ...]) -> None:
        self._reference_point = point
        enlarging = (at for at, fitness in reversed(self._entered) if self._is_enlarging(fitness))
        self.grown_at = next(enlarging, 0)

    @property
    def value(self) -> float | None:
        """None until the reference point is fixed."""
        reference = self._reference
        return None if reference is None else self.archive.hypervolume(np.array(reference))

    def entered(self, fitness: Fitness, evaluations: int) -> None:
        """Something joined the front: until there is a reference point, that counts as growth."""
        self._entered.append((evaluations, fitness))
        if self._is_enlarging(fitness):
            self.grown_at = evaluations

    def _is_enlarging(self, fitness: Fitness) -> bool:
        reference = self._reference
        if reference is None or len(self.objectives) == 1:
            return True
        return all(value > worst for value, worst in zip(fitness, reference, strict=True))

    @property
    def _reference(self) -> Fitness | None:
        """The reference point, larger is better."""
        if self.reference_point is None:
            return None
        pairs = zip(self.objectives, self.reference_point, strict=True)
        return tuple(objective.fitness(value) for objective, value in pairs)
