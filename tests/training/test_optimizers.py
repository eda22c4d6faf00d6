import copy

import pytest
import torch
from torch import nn

from evonas.settings import TrainingSettings
from evonas.training.muon import matrices, orthogonalised
from evonas.training.optimizers import (
    OPTIMIZERS,
    clip_gradients,
    make_optimizer,
    restore,
    set_rate,
    state_of,
)
from evonas.training.rates import USUAL_RATE


def recipe(optimizer: str = "muon", **changes: object) -> TrainingSettings:
    return TrainingSettings(**{"optimizer": optimizer, "lr0": None, **changes})  # type: ignore[arg-type]


def small_network() -> nn.Sequential:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 8, 1),  # as a matrix it is tall
        nn.BatchNorm2d(8),
        nn.Conv2d(8, 8, 3, padding=1, groups=8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 16, 12),
        nn.ReLU(),
        nn.Linear(12, 5),
    )
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def descend(network: nn.Module, optimizer: torch.optim.Optimizer, rate: float, steps: int) -> float:
    """Steps on eight random images; the loss before the last of them."""
    generator = torch.Generator().manual_seed(1)
    images = torch.randn(8, 3, 4, 4, generator=generator)
    labels = torch.arange(8) % 5
    loss = torch.zeros(())
    for _ in range(steps):
        set_rate(optimizer, rate)
        network.zero_grad()
        loss = nn.functional.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.step()
    return loss.item()


def test_every_optimiser_of_the_settings_is_there_and_has_a_usual_rate() -> None:
    choices = TrainingSettings.model_json_schema()["properties"]["optimizer"]["enum"]
    assert set(OPTIMIZERS) == set(choices) == set(USUAL_RATE)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimiser_learns_a_few_images_by_heart(name: str) -> None:
    network = small_network()
    optimizer = make_optimizer(network, recipe(name))
    first = descend(network, optimizer, USUAL_RATE[name], steps=1)
    assert descend(network, optimizer, USUAL_RATE[name], steps=60) < 0.7 * first


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_an_optimiser_remembers_goes_through_a_flat_dictionary(name: str) -> None:
    network = small_network()
    optimizer = make_optimizer(network, recipe(name))
    descend(network, optimizer, 0.01, steps=3)
    other = copy.deepcopy(network)
    saved = {key: value.contiguous().clone() for key, value in state_of(optimizer).items()}
    again = make_optimizer(other, recipe(name))
    restore(again, {"trained.0": torch.ones(1), **saved})
    descend(network, optimizer, 0.01, steps=2)
    descend(other, again, 0.01, steps=2)
    assert all(map(torch.equal, network.parameters(), other.parameters()))
    assert state_of(optimizer).keys() == state_of(again).keys()
    forgetful = copy.deepcopy(other)
    descend(forgetful, make_optimizer(forgetful, recipe(name)), 0.01, steps=2)
    descend(other, again, 0.01, steps=2)
    assert not torch.equal(forgetful[0].weight, other[0].weight)  # type: ignore[index]


@pytest.mark.parametrize(("name", "nesterov"), [("sgd", False), ("nesterov", True)])
def test_sgd_is_torchs(name: str, nesterov: bool) -> None:
    network, other = small_network(), small_network()
    settings = recipe(name, momentum=0.7, weight_decay=0.01)
    usual = torch.optim.SGD(
        other.parameters(), lr=0.1, momentum=0.7, weight_decay=0.01, nesterov=nesterov
    )
    usual.param_groups[0]["lr_scale"] = 1.0
    descend(network, make_optimizer(network, settings), 0.1, steps=4)
    descend(other, usual, 0.1, steps=4)
    for own, expected in zip(network.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(own, expected)


def test_layers_may_have_rates_of_their_own() -> None:
    network = small_network()
    optimizer = make_optimizer(network, recipe("sgd", layer_decay=0.5))
    set_rate(optimizer, 0.8)
    rates = [group["lr"] for group in optimizer.param_groups]
    assert rates == sorted(rates)
    assert rates[-1] == 0.8
    assert rates[-2] == pytest.approx(0.8 * 0.5**2), "a part without weights lies between"


# Muon


@pytest.mark.parametrize("shape", [(6, 30), (30, 6), (12, 12)])
def test_orthogonalising_brings_singular_values_near_1_and_keeps_the_directions(
    shape: tuple[int, int],
) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    made = orthogonalised(matrix)
    u, values, vt = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ made @ vt.T
    large = values > 0.1 * values[0]
    kept = inside.diagonal()[large]
    assert ((kept > 0.5) & (kept < 1.3)).all()
    torch.testing.assert_close(inside, inside.diagonal().diag(), atol=1e-4, rtol=0)


def test_orthogonalising_is_five_steps_of_the_published_iteration() -> None:
    """Here X itself is multiplied in each step, as the author does."""
    matrix = torch.randn(8, 72, generator=torch.Generator().manual_seed(0))
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix / matrix.norm()
    for _ in range(5):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    torch.testing.assert_close(orthogonalised(matrix), x, atol=1e-4, rtol=0)


def test_muon_is_for_whole_convolutions_and_hidden_matrices() -> None:
    network = small_network()
    assert matrices(network) == {network[0].weight, network[5].weight}
    optimizer = make_optimizer(network, recipe())
    set_rate(optimizer, 0.2)
    rates = {group["matrix"]: group["lr"] for group in optimizer.param_groups}
    assert rates == {True: 0.2, False: pytest.approx(0.01)}


def test_a_step_of_muon_is_torchs_for_matrices_and_adamws_for_the_rest() -> None:
    """Nearly: torch computes in bfloat16."""
    network, other = small_network(), small_network()
    settings = recipe(momentum=0.9, weight_decay=0.1)
    descend(network, make_optimizer(network, settings), 0.02, steps=1)
    labels = torch.arange(8) % 5
    images = torch.randn(8, 3, 4, 4, generator=torch.Generator().manual_seed(1))
    nn.functional.cross_entropy(other(images), labels).backward()
    matrix = nn.Parameter(other[0].weight.detach().flatten(1).clone())
    matrix.grad = other[0].weight.grad.flatten(1).clone()
    torch.optim.Muon([matrix], lr=0.02, momentum=0.9, weight_decay=0.1).step()
    step = (matrix - other[0].weight.flatten(1)).norm()
    assert (network[0].weight.flatten(1) - matrix).norm() < 0.03 * step
    torch.optim.AdamW([other[7].weight], lr=0.001, weight_decay=0.1).step()
    torch.testing.assert_close(network[7].weight, other[7].weight)


@pytest.mark.parametrize(("largest", "norm"), [(0.5, 0.5), (0.0, 6.0), (10.0, 6.0)])
def test_gradients_are_shortened_together_to_the_largest_norm(largest: float, norm: float) -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    weights, bias, other = network.parameters()
    weights.grad, bias.grad = torch.full((2, 2), 2.0), torch.tensor([2.0, 4.0])
    directions = torch.cat([weights.grad.flatten(), bias.grad]) / 6
    other.requires_grad = False
    clip_gradients(make_optimizer(network, recipe("sgd")), largest)
    shortened = torch.cat([weights.grad.flatten(), bias.grad])
    assert shortened.norm().item() == pytest.approx(norm, rel=1e-4)
    assert torch.allclose(shortened, norm * directions, rtol=1e-4)
