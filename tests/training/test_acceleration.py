from functools import partial

import numpy as np
import pytest
import torch
from conftest import a_problem
from torch import nn

from evonas.data.dataset import Split
from evonas.settings import TrainingSettings
from evonas.tasks import TASKS
from evonas.tasks.task import Loss
from evonas.training import Progress, train
from evonas.training.acceleration import make_pass

CPU = torch.device("cpu")


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 4)]
    return nn.Sequential(*layers)


def smoothed(share: float) -> Loss:
    return partial(TASKS["classification"].loss, recipe=TrainingSettings(label_smoothing=share))


def trained(device: torch.device, **words: object) -> tuple[nn.Module, Progress]:
    images = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8)
    split = Split(images, np.arange(40) % 4)
    recipe = TrainingSettings(epochs=3, batch_size=8, **words)  # type: ignore[arg-type]
    network = small_network()
    problem = a_problem(4, (0.5,) * 3, (0.25,) * 3)
    return network, train(network, split, problem, recipe, 0, device)


def test_a_pass_leaves_the_gradients_of_this_batch_alone() -> None:
    network = small_network()
    step = make_pass(network, smoothed(0.1), TrainingSettings(), CPU, bfloat16=False)
    images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])
    step(torch.rand(4, 3, 8, 8), labels)
    loss = step(images, labels)
    gradients = [weights.grad for weights in network.parameters()]
    expected = nn.functional.cross_entropy(network(images), labels, label_smoothing=0.1)
    assert not loss.requires_grad
    assert loss.item() == pytest.approx(expected.item())
    for own, right in zip(
        gradients, torch.autograd.grad(expected, list(network.parameters())), strict=True
    ):
        torch.testing.assert_close(own, right)


def test_hard_and_soft_targets_of_one_meaning_give_one_loss() -> None:
    step = make_pass(small_network(), smoothed(0.2), TrainingSettings(), CPU, bfloat16=False)
    images, labels = torch.rand(4, 3, 8, 8), torch.tensor([0, 1, 2, 3])
    soft = step(images, nn.functional.one_hot(labels, 4).float())
    torch.testing.assert_close(step(images, labels), soft)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch's own, of what its compiler imports
def test_a_compiled_network_learns_as_the_plain_one_does() -> None:
    _, plain = trained(CPU)
    network, compiled = trained(CPU, compile=True)
    assert compiled.curve == pytest.approx(plain.curve, rel=1e-3)
    assert list(network.state_dict()) == list(small_network().state_dict())


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_compiled_network_has_the_regularisation_of_its_own_recipe() -> None:
    _, without = trained(CPU, compile=True)
    _, dropped = trained(CPU, compile=True, dropout=0.5)
    assert dropped.curve != without.curve


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("optimizer", ["nesterov", "muon"])
@pytest.mark.parametrize(
    "words",
    [
        {},
        {"dropout": 0.3, "ema": 0.9},
        {"subdivisions": 2, "batch_norm": "cross_mini_batch", "self_adversarial": 0.5},
    ],
)
def test_recorded_graphs_train_as_plain_steps_do(optimizer: str, words: dict[str, object]) -> None:
    words = {"optimizer": optimizer, "lr0": None, "amp": "off", **words}
    _, first = trained(torch.device("cuda"), **words)
    recorded, second = trained(torch.device("cuda"), cuda_graphs=True, **words)
    if "dropout" not in words:
        assert second.curve == pytest.approx(first.curve, rel=1e-3)
    assert all(np.isfinite(second.curve))
    again, _ = trained(torch.device("cuda"), cuda_graphs=True, **words)
    for own, other in zip(recorded.parameters(), again.parameters(), strict=True):
        torch.testing.assert_close(own, other)
