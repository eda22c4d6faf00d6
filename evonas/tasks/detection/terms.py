"""What a loss is summed up of, so that batches can be added before it becomes a mean."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from evonas.settings import TrainingSettings


@dataclass(frozen=True)
class Terms:
    """Sums over a batch, each under the name of its gain in the recipe.

    `count`: of how much they are the sum, as of points that learn a box.
    """

    sums: Mapping[str, torch.Tensor]
    count: torch.Tensor

    def __add__(self, other: "Terms") -> "Terms":
        sums = {gain: own + other.sums[gain] for gain, own in self.sums.items()}
        return Terms(sums, self.count + other.count)

    def loss(self, recipe: TrainingSettings) -> torch.Tensor:
        """The mean over what is counted, by the recipe's gains."""
        parts = [getattr(recipe, gain) * own for gain, own in self.sums.items()]
        return torch.as_tensor(sum(parts) / self.count.clamp(min=1))
