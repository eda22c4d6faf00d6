import pytest
import torch
from torch import nn

from evonas.settings import TrainingSettings
from evonas.training.acceleration import make_pass
from evonas.training.accumulation import Accumulation, cut

CPU = torch.device("cpu")
IMAGES = torch.randn(10, 3, 4, 4, generator=torch.Generator().manual_seed(0))
TARGETS = torch.arange(10) % 4


def gradients(mini_batches: int) -> tuple[float, list[torch.Tensor | None]]:
    """Of a network without norms, which sees each image by itself."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 4))
    step = make_pass(
        network,
        lambda outputs, targets: nn.functional.cross_entropy(outputs[0], targets),
        TrainingSettings(),
        CPU,
        bfloat16=False,
        accumulation=Accumulation(mini_batches),
    )
    return step(IMAGES, TARGETS).item(), [weights.grad for weights in network.parameters()]


@pytest.mark.parametrize("mini_batches", [2, 3, 64])
def test_gradients_of_mini_batches_add_up_to_those_of_the_batch(mini_batches: int) -> None:
    loss, expected = gradients(1)
    mean, found = gradients(mini_batches)
    assert mean == pytest.approx(loss)
    torch.testing.assert_close(found, expected)


def test_a_batch_is_cut_into_as_many_parts_as_it_has_images_at_most() -> None:
    assert [len(some) for some, _ in cut(IMAGES, TARGETS, 3)] == [4, 4, 2]
    assert [len(some) for some, _ in cut(IMAGES, TARGETS, 64)] == [1] * 10


def test_a_mini_batch_knows_its_part_of_what_was_seen_so_far() -> None:
    own = Accumulation(3)
    told = [(share, own.share, own.is_last) for share, _, _ in own.parts(IMAGES, TARGETS)]
    assert told == [(0.4, 1.0, False), (0.4, 0.5, False), (0.2, 0.2, True)]
