"""The front of a run and its hypervolume, kept while trials finish: what `pareto` would find."""

import numpy as np
from numpy.typing import NDArray

from evonas import pareto

Member = tuple[int, tuple[float, ...]]  # number and larger-is-better values


class Archive:
    """The non-dominated of all that was added; of equal fitness the first stays.

    Another thread may read while one adds: both see the whole front before or after.
    """

    def __init__(self, objectives: int) -> None:
        self._matrix: pareto.Fitness = np.zeros((0, objectives))
        self.members: tuple[Member, ...] = ()  # as they entered
        self._volume: tuple[tuple[Member, ...], bytes, float] | None = None

    def add(self, number: int, fitness: tuple[float, ...]) -> bool:
        """True if it entered: nothing that was there is at least as good throughout."""
        matrix, values = self._matrix, np.array(fitness, dtype=float)
        if (matrix >= values).all(1).any():
            return False
        stays = ~(matrix <= values).all(1)
        self._matrix = np.vstack([matrix[stays], values])
        if stays.all():
            self.members = (*self.members, (number, fitness))
        else:
            kept = [self.members[index] for index in np.flatnonzero(stays)]
            self.members = (*kept, (number, fitness))
        return True

    @property
    def numbers(self) -> list[int]:
        """Of the members, best in the first objective first, of equal ones the earlier."""
        ordered = sorted(self.members, key=lambda member: -member[1][0])
        return [number for number, _ in ordered]

    def hypervolume(self, reference: NDArray[np.float64]) -> float:
        """See `pareto.hypervolume`; found anew only after the front has changed."""
        members, key = self.members, reference.tobytes()
        if self._volume is None or self._volume[0] is not members or self._volume[1] != key:
            matrix = np.array([fitness for _, fitness in members], dtype=float)
            matrix = matrix.reshape(len(members), len(reference))
            self._volume = members, key, pareto.front_hypervolume(matrix, reference)
        return self._volume[2]
