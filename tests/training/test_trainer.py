import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import a_problem
from torch import nn

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset, Split
from evonas.errors import BuildError, TrialFailure
from evonas.models import build
from evonas.settings import DataSettings, TrainingSettings
from evonas.space import Scale, load_space
from evonas.tasks.normalisation import normalised
from evonas.training import (
    Progress,
    batch_size,
    evaluate,
    load_checkpoint,
    save_checkpoint,
    train,
)
from evonas.training.optimizers import OPTIMIZERS
from evonas.training.transfer import prepare

# Tests look at what goes through the network: no auxiliary head, which looks at it as well.
RECIPE = TrainingSettings(
    epochs=4, batch_size=20, lr0=0.1, translate=0.1, fliplr=0.5, auxiliary=0.0
)
SCALE = Scale("proxy", resolution_px=8, width=0.5, smallest_map_px=4, input_channels=1)


@pytest.fixture(scope="module")
def digits() -> Dataset:
    return load_data(DataSettings(name="digits", subset=200), resolution_px=8)


def fresh_network() -> nn.Module:
    space = load_space("nano")
    return build(space.decode([1.0] * len(space.genes)), SCALE, seed=0)


def weights_after(
    digits: Dataset,
    seed: int = 3,
    network: nn.Module | None = None,
    **recipe: Any,
) -> dict[str, torch.Tensor]:
    network = network or fresh_network()
    train(network, digits.train, digits.problem, RECIPE.model_copy(update=recipe), seed)
    return network.state_dict()


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_the_same_seed_gives_the_same_weights_bit_for_bit(digits: Dataset) -> None:
    first = weights_after(digits)
    torch.manual_seed(99)
    assert equal(first, weights_after(digits))
    assert not equal(first, weights_after(digits, seed=4))


# One change of each setting that acts within a training; `precision`, `transfer` and files are
# tested by themselves.
CHANGES: list[dict[str, Any]] = [
    {"epochs": 2},
    {"batch_size": 30},
    {"lr0": 0.05},
    {"lr_factor": 0.25},
    {"lrf": 0.5},
    {"momentum": 0.0},
    {"weight_decay": 0.01},
    {"schedule": "cosine"},
    {"schedule": "step"},
    {"schedule": "constant"},
    {"warmup_epochs": 1},
    {"label_smoothing": 0.0},
    {"ema": 0.5},
    {"clip_gradients": 0.1},
    {"translate": 0.0},
    {"scale": 0.3},
    {"degrees": 30},
    {"shear": 30},
    {"fliplr": 0.0},
    {"flipud": 0.5},
    {"fill": "reflect"},
    {"hsv_v": 0.5},
    {"contrast": 0.5},
    {"cutout": 0.5},
    {"erasing": 0.5},
    {"gridmask": 0.5},
    {"mixup": 0.9},
    {"mixup": 0.9, "mixup_alpha": 1.0},
    {"cutmix": 0.9},
    {"cutmix": 0.9, "cutmix_alpha": 0.1},
    {"dropout": 0.3},
    {"spatial_dropout": 0.3},
    {"drop_connect": 0.3},
    {"drop_block": 0.3},
    {"drop_block": 0.3, "drop_block_size": 2},
    {"drop_path": 0.3},
    {"drop_path": 0.3, "drop_path_kind": "global"},
    {"drop_path": 0.3, "ramp": True},
    {"auxiliary": 0.4},
    {"layer_decay": 0.5},
    {"subdivisions": 2},
    {"subdivisions": 2, "batch_norm": "cross_mini_batch"},
    {"self_adversarial": 0.5},
    {"self_adversarial": 0.5, "self_adversarial_step": 0.1},
    {"amp": "on"},
    *({"optimizer": name} for name in OPTIMIZERS if name != "nesterov"),
]
# Of the network before it is trained, of deep ones, of 16 px and more, of colour, of a GPU; or
# tested below.
ELSEWHERE = {"initialisation", "residual_init", "shift_init", "gate_init", "weights", "freeze"}
ELSEWHERE |= {"reset_last", "inherit", "auxiliary_heads", "progressive", "hsv_h", "hsv_s"}
ELSEWHERE |= {"compile", "cuda_graphs", "log", "patience", "plateau", "keep", "flip_test"}
# Acts where there are boxes; `tests/tasks/detection` has these.
ELSEWHERE |= {"mosaic", "close_mosaic", "crop", "expand", "interpolate", "multi_scale"}
ELSEWHERE |= {"assigner", "box_loss", "class_loss", "box", "cls", "dfl"}
ELSEWHERE |= {"obj", "ignore_iou", "anchors", "anchor_iou", "root_sizes"}
ELSEWHERE |= {"object_scale", "noobject_scale", "coord_scale", "class_scale"}
ELSEWHERE |= {"neck_drop_block", "nms", "nms_iou", "confidence"}
ELSEWHERE |= {"location", "hard_negatives"}


def test_every_setting_of_the_recipe_counts(digits: Dataset) -> None:
    """Each change gives weights that no other change gives."""
    seen: dict[float, dict[str, Any]] = {}
    for change in [{}, *CHANGES]:
        weights = weights_after(digits, **{"epochs": 1, **change})
        total = sum(weights[name].double().abs().sum().item() for name in weights)
        assert math.isfinite(total), change
        assert total not in seen, f"{change} is as {seen[total]}"
        seen[total] = change


def test_every_setting_of_the_recipe_is_under_test() -> None:
    assert {key for change in CHANGES for key in change} | ELSEWHERE == set(
        TrainingSettings.model_fields
    )


# A training with all that has a state, and each optimiser, goes on as if it never stopped.
RECIPES: list[dict[str, Any]] = [
    *({"optimizer": name, "lr0": None} for name in OPTIMIZERS),
    {"momentum": 0.0},
    {"auxiliary": 0.4, "ema": 0.9},
    {"optimizer": "adamw", "lr0": 0.002, "layer_decay": 0.7, "amp": "on", "plateau": 1},
    {"ema": 0.9, "mixup": 0.5, "drop_path": 0.3, "ramp": True, "erasing": 0.3},
    {"ema": 0.9, "self_adversarial": 0.5, "subdivisions": 2, "batch_norm": "cross_mini_batch"},
]


@pytest.mark.parametrize("recipe", RECIPES, ids=str)
def test_a_training_stopped_after_an_epoch_goes_on_as_if_it_never_stopped(
    digits: Dataset, recipe: dict[str, Any], tmp_path: Path
) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 3, "ema": 0.8, **recipe})

    def save(progress: Progress) -> None:
        if progress.epochs_done == 1:
            save_checkpoint(tmp_path / "checkpoint", network, progress, key="a")

    network = fresh_network()
    whole = train(network, digits.train, digits.problem, recipe, 3, after_epoch=save)
    other = build_other()
    saved = load_checkpoint(tmp_path / "checkpoint", other, key="a")
    assert saved is not None
    assert saved.epochs_done == 1
    rest = train(other, digits.train, digits.problem, recipe, 3, progress=saved)
    assert equal(network.state_dict(), other.state_dict())
    assert rest.curve == whole.curve
    assert rest.epochs_done == whole.epochs_done == 3
    assert equal(rest.state, whole.state)


def build_other() -> nn.Module:
    """The network with weights of its own, which a checkpoint has to replace."""
    network = fresh_network()
    for parameter in network.parameters():
        nn.init.constant_(parameter, 0.5)
    return network


def test_a_training_may_pause_on_its_way(digits: Dataset) -> None:
    recipe = RECIPE.model_copy(update={"ema": 0.8, "schedule": "cosine"})
    whole = weights_after(digits, ema=0.8, schedule="cosine")
    network = fresh_network()
    progress = train(network, digits.train, digits.problem, recipe, 3, until=1)
    assert progress.epochs_done == len(progress.curve) == 1
    progress = train(network, digits.train, digits.problem, recipe, 3, progress=progress, until=3)
    assert progress.epochs_done == 3
    assert not equal(whole, network.state_dict())
    progress = train(network, digits.train, digits.problem, recipe, 3, progress=progress, until=9)
    assert progress.epochs_done == 4
    assert equal(whole, network.state_dict())


def test_a_finished_training_has_nothing_left_to_do(digits: Dataset) -> None:
    network = fresh_network()
    done = train(network, digits.train, digits.problem, RECIPE, 3)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    train(network, digits.train, digits.problem, RECIPE, 3, progress=done)
    assert equal(before, network.state_dict())


def test_a_network_learns_a_few_digits(digits: Dataset) -> None:
    network = fresh_network()
    recipe = TrainingSettings(epochs=15, batch_size=16, lr0=0.4)
    curve = train(network, digits.train, digits.problem, recipe, seed=0).curve
    assert len(curve) == 15
    assert curve[-1] < curve[0] / 2
    assert evaluate(network, digits.train, digits.problem, TrainingSettings())["accuracy"] > 0.95
    assert (
        evaluate(network, digits.validation, digits.problem, TrainingSettings())["accuracy"] > 0.7
    )


def batches_of(digits: Dataset, split: Split | None = None, **recipe: Any) -> list[torch.Tensor]:
    """What goes through a network in its training."""
    network, seen = fresh_network(), list[torch.Tensor]()
    network.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    settings = TrainingSettings(**{"epochs": 1, "auxiliary": 0.0, **recipe})
    train(network, split or digits.train, digits.problem, settings, seed=0)
    return seen


@pytest.mark.parametrize("size", [120, 10_000])
def test_an_incomplete_batch_counts_only_where_it_is_the_only_one(
    digits: Dataset, size: int
) -> None:
    (batch,) = batches_of(digits, batch_size=size)
    assert len(batch) == min(size, len(digits.train))


@pytest.mark.parametrize(
    ("images", "expected"),
    [(50_000, 64), (1_536, 64), (1_535, 32), (768, 32), (767, 16), (100, 16), (3, 16)],
)
def test_few_images_are_cut_into_smaller_batches(images: int, expected: int) -> None:
    assert batch_size(TrainingSettings(), images) == expected
    assert batch_size(TrainingSettings(batch_size=50), images) == 50


def test_a_training_takes_batches_by_how_many_images_there_are(digits: Dataset) -> None:
    sizes = [len(batch) for batch in batches_of(digits)]
    assert sizes == [16] * (len(digits.train) // 16)


def test_each_epoch_sees_all_images_in_another_order(digits: Dataset) -> None:
    epochs = batches_of(digits, epochs=2, batch_size=999)
    first, second = (epoch.sum((1, 2, 3)) for epoch in epochs)
    assert not torch.equal(first, second)
    torch.testing.assert_close(first.sort().values, second.sort().values)


def test_a_loss_that_is_not_finite_is_a_failure_of_the_design(digits: Dataset) -> None:
    with pytest.raises(TrialFailure, match=r"loss is (nan|inf) in epoch 1$") as failure:
        weights_after(digits, lr0=1e38, warmup_epochs=0, momentum=0.0)
    assert failure.value.kind == "diverged"


def test_logits_that_are_not_finite_are_a_failure_of_the_design(digits: Dataset) -> None:
    network = fresh_network()
    nn.init.constant_(list(network.parameters())[-1], math.nan)
    with pytest.raises(TrialFailure, match="not finite") as failure:
        evaluate(network, digits.validation, digits.problem, TrainingSettings())
    assert failure.value.kind == "diverged"


class Certain(nn.Module):
    """Says class 0 of two for everything, with the odds of 3 to 1."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.tensor([math.log(3), 0.0]).expand(len(images), 2)


def test_scores_are_means_over_all_images_of_all_batches() -> None:
    labels = np.array([0] * 450 + [1] * 150)
    split = Split(np.zeros((600, 1, 2, 2), np.uint8), labels)
    scores = evaluate(Certain(), split, a_problem(2, (0.0,), (1.0,)), TrainingSettings())
    assert scores["accuracy"] == 0.75
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    assert scores["loss"] == pytest.approx(expected, rel=1e-5)


def test_scoring_leaves_the_network_as_it_was(digits: Dataset) -> None:
    network = fresh_network()
    before = {key: value.clone() for key, value in network.state_dict().items()}
    evaluate(network, digits.validation, digits.problem, TrainingSettings())
    assert equal(before, network.state_dict())


def test_normalised_training_images_have_mean_0_and_deviation_1(digits: Dataset) -> None:
    images = normalised(torch.from_numpy(digits.train.images), digits.problem)
    assert images.dtype == torch.float32
    assert images.mean().item() == pytest.approx(0, abs=1e-5)
    assert images.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_channels_are_normalised_each_by_its_own_figures() -> None:
    images = torch.tensor([51, 102, 255], dtype=torch.uint8).reshape(1, 3, 1, 1)
    apart = normalised(images, a_problem(2, (0.0, 0.4, 0.5), (0.2, 0.1, 0.25)))
    assert apart.flatten().tolist() == pytest.approx([1, 0, 2], abs=1e-6)


# Stopping early, other devices, other precisions


def test_patience_ends_a_training_that_no_longer_gains(digits: Dataset) -> None:
    network = fresh_network()
    recipe = RECIPE.model_copy(update={"epochs": 30, "lr0": 1e-12, "patience": 2})
    progress = train(network, digits.train, digits.problem, recipe, 3)
    assert progress.epochs_done < 30
    assert min(progress.curve[-2:]) >= min(progress.curve[:-2])
    again = train(network, digits.train, digits.problem, recipe, 3, progress=progress)
    assert len(again.curve) == progress.epochs_done, "it stays ended"


def test_with_validation_images_their_loss_counts(digits: Dataset) -> None:
    network = fresh_network()
    recipe = RECIPE.model_copy(update={"epochs": 12, "patience": 1, "weight_decay": 0.0})
    few = Split(digits.train.images[:20], digits.train.targets[:20])
    wrong = Split(few.images, (few.targets + 1) % 10)  # what is learned makes these worse
    progress = train(network, few, digits.problem, recipe, 3, validation=wrong)
    assert len(progress.validation_curve) == len(progress.curve) < 12
    assert progress.validation_curve[-1] > min(progress.validation_curve)
    assert progress.curve[-1] == min(progress.curve)


def test_a_plateau_lowers_the_rate_of_what_follows(digits: Dataset) -> None:
    recipe = RECIPE.model_copy(update={"epochs": 3, "plateau": 1, "momentum": 0.0})
    steps = []
    for curve in ([2.0, 1.0], [2.0, 3.0]):
        network = fresh_network()
        before = {name: weights.clone() for name, weights in network.named_parameters()}
        train(network, digits.train, digits.problem, recipe, 3, progress=Progress(2, {}, curve))
        weights = dict(network.named_parameters())
        steps.append(sum((weights[n] - before[n]).norm().item() for n in before))
    assert steps[1] < 0.3 * steps[0]


def test_small_images_come_first_and_full_ones_last(digits: Dataset) -> None:
    large = Split(digits.train.images.repeat(4, axis=2).repeat(4, axis=3), digits.train.targets)
    sides = [batch.shape[2:] for batch in batches_of(digits, large, epochs=3, progressive=0.5)]
    assert list(dict.fromkeys(sides)) == [(16, 16), (24, 24), (32, 32)]
    assert sides.count(sides[0]) == sides.count(sides[-1]) == len(sides) / 3


def test_the_average_of_the_weights_is_what_is_left(digits: Dataset) -> None:
    """One step of plain descent, averaged by hand: decay 2/11 of the weights before it."""
    recipe = RECIPE.model_copy(update={"epochs": 1, "batch_size": 999, "ema": 0.9})
    before = fresh_network().state_dict()
    trained = weights_after(digits, epochs=1, batch_size=999)
    averaged = weights_after(digits, epochs=1, batch_size=999, ema=0.9)
    network = fresh_network()
    progress = train(network, digits.train, digits.problem, recipe, 3)
    for name, value in averaged.items():
        if value.is_floating_point():
            expected = (2 * before[name] + 9 * trained[name]) / 11
            torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-6)
            assert torch.equal(progress.state[f"trained.{name}"], trained[name])


@pytest.mark.parametrize("amp", ["auto", "on", "off"])
@pytest.mark.parametrize("decision", [True, False])
def test_the_recipe_or_else_the_decision_says_what_is_computed_in(
    digits: Dataset, amp: str, decision: bool
) -> None:
    network = fresh_network()
    seen = []
    convolution = next(m for m in network.modules() if isinstance(m, nn.Conv2d))
    convolution.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    recipe = RECIPE.model_copy(update={"epochs": 1, "amp": amp})
    progress = train(network, digits.train, digits.problem, recipe, 3, bfloat16=decision)
    expected = amp == "on" or (amp == "auto" and decision)
    assert set(seen) == {torch.bfloat16 if expected else torch.float32}
    assert progress.bfloat16 is expected
    assert all(weights.dtype == torch.float32 for weights in network.parameters())


def test_a_training_goes_on_in_the_precision_that_it_began_in(digits: Dataset) -> None:
    network = fresh_network()
    progress = train(network, digits.train, digits.problem, RECIPE, 3, until=1, bfloat16=True)
    seen = []
    network.stem[0].register_forward_hook(  # type: ignore[index, union-attr]
        lambda module, inputs, output: seen.append(output.dtype)
    )
    train(network, digits.train, digits.problem, RECIPE, 3, progress=progress, until=2)
    assert set(seen) == {torch.bfloat16}


def test_what_is_for_gpus_has_no_effect_on_a_cpu(digits: Dataset) -> None:
    plain = weights_after(digits, epochs=1)
    assert equal(plain, weights_after(digits, epochs=1, cuda_graphs=True))


def test_what_is_frozen_stays(digits: Dataset) -> None:
    network = fresh_network()
    recipe = RECIPE.model_copy(update={"epochs": 1, "freeze": 1})
    prepare(network, recipe)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    train(network, digits.train, digits.problem, recipe, 3)
    same = {
        name for name, value in network.state_dict().items() if torch.equal(value, before[name])
    }
    stem = {name for name in before if name.startswith("stem.")}
    assert stem
    assert stem <= same, "weights and statistics"
    assert len(same) < len(before)


def test_the_generators_of_torch_are_left_alone(digits: Dataset) -> None:
    network = fresh_network()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    drawing = {"drop_path": 0.2, "mixup": 0.5, "auxiliary": 0.4}
    weights_after(digits, network=network, epochs=1, **drawing)
    assert torch.equal(torch.rand(3), expected)


def test_a_network_of_one_size_refuses_to_begin_with_smaller_images() -> None:
    data = load_data(DataSettings(name="digits", subset=40), resolution_px=16)
    of_one_size = nn.Sequential(nn.Flatten(), nn.Linear(256, 10))
    recipe = RECIPE.model_copy(update={"epochs": 1, "progressive": 0.5})
    before = of_one_size[1].weight.clone()
    with pytest.raises(BuildError, match="begins with images of 8 px, and this network takes 16"):
        train(of_one_size, data.train, data.problem, recipe, 0)
    assert torch.equal(of_one_size[1].weight, before)
    train(of_one_size, data.train, data.problem, recipe.model_copy(update={"progressive": 1.0}), 0)
    assert not torch.equal(of_one_size[1].weight, before)
