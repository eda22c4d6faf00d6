import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from evonas.data import Dataset, Split, load_data
from evonas.errors import TrialFailure
from evonas.models import build
from evonas.settings import DataSettings, TrainingSettings
from evonas.space import Scale, load_space
from evonas.training import Normalisation, Progress, evaluate, train

RECIPE = TrainingSettings(epochs=4, batch_size=20, lr0=0.1, translate=0.1, fliplr=0.5)
SCALE = Scale("proxy", resolution_px=8, width=0.5, smallest_map_px=4, input_channels=1)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As an evaluation trains; also the fastest for so little."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data(DataSettings(name="digits", subset=200), resolution_px=8)


@pytest.fixture
def normalisation(digits: Dataset) -> Normalisation:
    return Normalisation(digits.mean, digits.deviation)


def fresh_network() -> nn.Module:
    space = load_space("nano")
    return build(space.decode([1.0] * len(space.genes)), SCALE, seed=0)


def weights_after(
    digits: Dataset,
    normalisation: Normalisation,
    seed: int = 3,
    network: nn.Module | None = None,
    **recipe: Any,
) -> dict[str, torch.Tensor]:
    network = network or fresh_network()
    train(network, digits.train, normalisation, RECIPE.model_copy(update=recipe), seed)
    return network.state_dict()


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(
    digits: Dataset, normalisation: Normalisation
) -> None:
    first = weights_after(digits, normalisation)
    torch.manual_seed(99)
    assert equal(first, weights_after(digits, normalisation))
    assert not equal(first, weights_after(digits, normalisation, seed=4))


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 3},
        {"batch_size": 30},
        {"lr0": 0.05},
        {"lrf": 0.5},
        {"momentum": 0.0},
        {"weight_decay": 0.01},
        {"schedule": "cosine"},
        {"warmup_share": 0.1},
        {"label_smoothing": 0.0},
        {"translate": 0.0},
        {"fliplr": 0.0},
    ],
    ids=str,
)
def test_every_setting_of_the_recipe_counts(
    digits: Dataset, normalisation: Normalisation, change: dict[str, Any]
) -> None:
    plain = weights_after(digits, normalisation)
    assert not equal(plain, weights_after(digits, normalisation, **change))


def test_every_setting_of_the_recipe_is_under_test() -> None:
    (mark,) = test_every_setting_of_the_recipe_counts.pytestmark  # type: ignore[attr-defined]
    assert {key for change in mark.args[1] for key in change} == set(TrainingSettings.model_fields)


@pytest.mark.parametrize("stop", [1, 3])
@pytest.mark.parametrize("momentum", [0.8, 0.0])
def test_a_training_stopped_after_an_epoch_goes_on_as_if_it_never_stopped(
    digits: Dataset, normalisation: Normalisation, stop: int, momentum: float
) -> None:
    recipe = RECIPE.model_copy(update={"momentum": momentum})
    saved: dict[str, Any] = {}

    def save(progress: Progress) -> None:
        if progress.epochs_done == stop:
            # As a file would keep it: copies, in the plain memory layout.
            saved["weights"] = {k: v.contiguous().clone() for k, v in network.state_dict().items()}
            saved["progress"] = Progress(
                progress.epochs_done,
                [momentum.contiguous().clone() for momentum in progress.momenta],
                list(progress.curve),
            )

    network = fresh_network()
    whole = train(network, digits.train, normalisation, recipe, 3, after_epoch=save)
    other = build_like_and_load(saved["weights"])
    rest = train(other, digits.train, normalisation, recipe, 3, progress=saved["progress"])
    assert equal(network.state_dict(), other.state_dict())
    assert rest.curve == whole.curve
    assert rest.epochs_done == whole.epochs_done == 4
    assert all(map(torch.equal, rest.momenta, whole.momenta))
    assert len(rest.momenta) == len(whole.momenta)


def build_like_and_load(weights: dict[str, torch.Tensor]) -> nn.Module:
    network = fresh_network()
    network.load_state_dict(weights)
    return network


def test_a_finished_training_has_nothing_left_to_do(
    digits: Dataset, normalisation: Normalisation
) -> None:
    network = fresh_network()
    done = train(network, digits.train, normalisation, RECIPE, 3)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    train(network, digits.train, normalisation, RECIPE, 3, progress=done)
    assert equal(before, network.state_dict())


def test_a_network_learns_a_few_digits(digits: Dataset, normalisation: Normalisation) -> None:
    network = fresh_network()
    recipe = TrainingSettings(epochs=15, batch_size=16, lr0=0.4)
    curve = train(network, digits.train, normalisation, recipe, seed=0).curve
    assert len(curve) == 15
    assert curve[-1] < curve[0] / 2
    assert evaluate(network, digits.train, normalisation).accuracy > 0.95
    assert evaluate(network, digits.validation, normalisation).accuracy > 0.7


@pytest.mark.parametrize("batch_size", [120, 10_000])
def test_an_incomplete_batch_counts_only_where_it_is_the_only_one(
    digits: Dataset, normalisation: Normalisation, batch_size: int
) -> None:
    steps = []
    network = fresh_network()
    network.register_forward_hook(lambda module, inputs, output: steps.append(len(output)))
    recipe = TrainingSettings(epochs=1, batch_size=batch_size)
    train(network, digits.train, normalisation, recipe, seed=0)
    assert steps == [min(batch_size, len(digits.train))]


def test_each_epoch_sees_all_images_in_another_order(
    digits: Dataset, normalisation: Normalisation
) -> None:
    seen = []
    network = fresh_network()
    network.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    train(network, digits.train, normalisation, TrainingSettings(epochs=2, batch_size=999), seed=0)
    first, second = (epoch.sum((1, 2, 3)) for epoch in seen)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first.sort().values, second.sort().values)


def test_a_loss_that_is_not_finite_is_a_failure_of_the_design(
    digits: Dataset, normalisation: Normalisation
) -> None:
    with pytest.raises(TrialFailure, match=r"loss is (nan|inf) in epoch 1$") as failure:
        weights_after(digits, normalisation, lr0=1e38, warmup_share=0.0, momentum=0.0)
    assert failure.value.kind == "diverged"


def test_logits_that_are_not_finite_are_a_failure_of_the_design(
    digits: Dataset, normalisation: Normalisation
) -> None:
    network = fresh_network()
    nn.init.constant_(list(network.parameters())[-1], math.nan)
    with pytest.raises(TrialFailure, match="not finite") as failure:
        evaluate(network, digits.validation, normalisation)
    assert failure.value.kind == "diverged"


class Certain(nn.Module):
    """Says class 0 of two for everything, with the odds of 3 to 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.tensor([math.log(3), 0.0]).expand(len(images), 2)


def test_scores_are_means_over_all_images_of_all_batches() -> None:
    labels = np.array([0] * 450 + [1] * 150)
    split = Split(np.zeros((600, 1, 2, 2), np.uint8), labels)
    scores = evaluate(Certain(), split, Normalisation((0.0,), (1.0,)))
    assert scores.accuracy == 0.75
    assert scores.loss == pytest.approx(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)), rel=1e-5)


def test_scoring_leaves_the_network_as_it_was(
    digits: Dataset, normalisation: Normalisation
) -> None:
    network = fresh_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    evaluate(network, digits.validation, normalisation)
    assert equal(before, network.state_dict())


def test_normalised_training_images_have_mean_0_and_deviation_1(
    digits: Dataset, normalisation: Normalisation
) -> None:
    images = normalisation.apply(torch.from_numpy(digits.train.images))
    assert images.dtype == torch.float32
    assert images.mean().item() == pytest.approx(0, abs=1e-5)
    assert images.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_channels_are_normalised_each_by_its_own_figures() -> None:
    images = torch.tensor([51, 102, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    apart = Normalisation((0.0, 0.4, 0.5), (0.2, 0.1, 0.25)).apply(images)
    assert apart.flatten().tolist() == pytest.approx([1, 0, 2], abs=1e-6)
