"""What a task watches beside the loss."""

import torch

from evonas.tasks import TASKS
from evonas.tasks.task import Outputs
from evonas.training.watching import Watching

TASK = TASKS["classification"]


class Halves(type(TASK)):  # type: ignore[misc]
    """Counts outputs above 1/2."""

    def watched(self, outputs: Outputs, targets: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"above": torch.tensor([(outputs[0] > 0.5).sum(), len(targets)])}


def test_shares_are_of_all_batches_since_they_were_taken() -> None:
    watching = Watching(Halves())
    loss_of = watching.around(lambda outputs, targets: outputs[0].sum())
    for values in ([0.6, 0.4], [0.7, 0.8, 0.1]):
        outputs = (torch.tensor(values),)
        assert loss_of(outputs, outputs[0]) == outputs[0].sum()
    assert watching.taken() == {"above": 3 / 5}
    assert watching.taken() == {}


def test_most_tasks_watch_nothing() -> None:
    watching = Watching(TASK)
    watching.around(lambda outputs, targets: outputs[0])((torch.zeros(1),), torch.zeros(1))
    assert watching.taken() == {}
