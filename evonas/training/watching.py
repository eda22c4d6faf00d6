"""What a task watches beside the loss, for those who look at a training's log."""

from collections.abc import Mapping

import torch

from evonas.tasks.task import Loss, Outputs, Task


class Watching:
    """Shares of an epoch, summed up while its losses are taken.

    Args:
        task: Says of each batch how many of how many (see `Task.watched`).
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.sums: dict[str, torch.Tensor] = {}

    def around(self, loss_of: Loss) -> Loss:
        """The loss, of outputs that are looked at."""

        def looked_at(outputs: Outputs, targets: torch.Tensor) -> torch.Tensor:
            for name, counts in self.task.watched(outputs, targets).items():
                self.sums[name] = self.sums.get(name, torch.zeros_like(counts)) + counts
            return loss_of(outputs, targets)

        return looked_at

    def taken(self) -> Mapping[str, float]:
        """The shares since they were taken last; 0 of nothing."""
        shares = {name: sums.tolist() for name, sums in self.sums.items()}
        self.sums = {}
        return {name: part / max(whole, 1) for name, (part, whole) in shares.items()}
