"""A second classifier helps a training along and leaves nothing of itself behind."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from evonas.blueprint import Blueprint
from evonas.data.cache import load_data
from evonas.models import build
from evonas.presets import preset
from evonas.settings import DataSettings, TrainingSettings
from evonas.space import Scale, load_space
from evonas.tasks.task import Outputs
from evonas.training import train
from evonas.training.auxiliary import attached
from evonas.training.parts import parts
from evonas.training.training_progress import Progress
from evonas.training.transfer import prepare

SCALE = Scale("proxy", resolution_px=16, input_channels=1)
CLASSES = 10
RECIPE = TrainingSettings(epochs=2, batch_size=32, lr0=0.05, auxiliary=0.4)


@pytest.fixture(scope="module")
def blueprint() -> Blueprint:
    return load_space("nano").decode([0.0] * len(load_space("nano").genes))


def loss(outputs: Outputs, targets: torch.Tensor) -> torch.Tensor:
    return cross_entropy(outputs[0], targets)


def trained(blueprint: Blueprint, recipe: TrainingSettings, **stops: int) -> torch.nn.Module:
    """A network after a training, left and gone on with after each of the `stops`."""
    data = load_data(DataSettings(subset=300), SCALE.resolution_px)
    network = build(blueprint, SCALE, seed=1)
    progress: Progress | None = None
    for until in (*stops.values(), recipe.epochs):
        progress = train(
            network, data.train, data.problem, recipe, seed=3, progress=progress, until=until
        )
    return network


def weights_of(network: torch.nn.Module) -> torch.Tensor:
    return torch.cat([tensor.flatten() for tensor in network.parameters()]).detach()


def test_it_changes_what_is_learned_and_no_name_of_a_weight(blueprint: Blueprint) -> None:
    without = trained(blueprint, RECIPE.model_copy(update={"auxiliary": 0.0}))
    network = trained(blueprint, RECIPE)
    assert network.state_dict().keys() == without.state_dict().keys()
    assert not torch.equal(weights_of(network), weights_of(without))
    images = torch.zeros(2, *SCALE.input_shape)
    assert network.train()(images).shape == (2, 10)  # nobody listens any more


def test_only_weights_in_front_of_it_learn_from_it(blueprint: Blueprint) -> None:
    network = build(blueprint, SCALE, seed=1).train()
    images = torch.rand(4, *SCALE.input_shape)
    with attached(network, CLASSES, RECIPE, images[:1], 0, {}) as auxiliary:
        assert auxiliary is not None
        network(images)
        auxiliary.loss(torch.tensor([0, 1, 2, 3]), loss).backward()  # type: ignore[no-untyped-call]
    learns = {
        n.split(".")[0] for n, tensor in network.named_parameters() if tensor.grad is not None
    }
    assert "stem" in learns
    assert "head" not in learns
    assert all(tensor.grad is not None for tensor in auxiliary.heads.parameters())


@pytest.mark.parametrize(("heads", "kept"), [(1, 1), (2, 2), (3, 3), (8, 3)])
def test_several_are_evenly_in_front_of_two_thirds(heads: int, kept: int) -> None:
    network = nn.Sequential(*(nn.Conv2d(1, 1, 1) for _ in range(5)), nn.Flatten())
    recipe = RECIPE.model_copy(update={"auxiliary_heads": heads})
    with attached(network, CLASSES, recipe, torch.zeros(1, 1, 4, 4), 0, {}) as auxiliary:
        assert auxiliary is not None
        assert len(auxiliary.heads) == kept


def test_each_of_two_adds_its_loss_times_the_weight(blueprint: Blueprint) -> None:
    image, targets = torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 2, 3])
    found = preset("darts_v2_small")
    network = build(found.blueprint, replace(found.scale, resolution_px=16), seed=0)
    recipe = RECIPE.model_copy(update={"auxiliary_heads": 2, "auxiliary": 0.3})
    with attached(network, CLASSES, recipe, image[:1], 0, {}) as auxiliary:
        assert auxiliary is not None
        network.train()(image)
        each = [cross_entropy(logits, targets) for logits in auxiliary.outputs]
        assert len(each) == 2
        torch.testing.assert_close(auxiliary.loss(targets, loss), 0.3 * (each[0] + each[1]))


def test_a_training_with_several_goes_on_where_it_was_left() -> None:
    space = load_space("nano")
    blueprint = space.decode([9.0] * len(space.genes))  # two layers in each of its blocks
    recipe = RECIPE.model_copy(update={"auxiliary_heads": 2})
    whole, halves = trained(blueprint, recipe), trained(blueprint, recipe, first=1)
    assert torch.equal(weights_of(whole), weights_of(halves))
    assert not torch.equal(weights_of(whole), weights_of(trained(blueprint, RECIPE)))


def test_it_is_behind_what_gives_maps() -> None:
    convolution = nn.Conv2d(1, 4, 3, stride=2)
    flat = [nn.Flatten(), nn.LazyLinear(6), nn.ReLU(), nn.Linear(6, 10)]
    network = nn.Sequential(convolution, *flat)
    image = torch.rand(1, *SCALE.input_shape)
    network(image)
    with attached(network, CLASSES, RECIPE, image, 0, {}) as auxiliary:
        assert auxiliary is not None
        network.train()(image.repeat(2, 1, 1, 1))
        auxiliary.loss(torch.tensor([0, 1]), loss).backward()  # type: ignore[no-untyped-call]
    learns = {name for name, weights in network.named_parameters() if weights.grad is not None}
    assert learns == {"0.weight", "0.bias"}


def test_a_network_without_maps_has_none() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 6), nn.ReLU(), nn.Linear(6, 10))
    with attached(network, CLASSES, RECIPE, torch.rand(1, *SCALE.input_shape), 0, {}) as auxiliary:
        assert auxiliary is None


# One block or many, cells, a chain: (space or published network, pixels).
NETWORKS = [("nano", 16), ("mobile_cells", 16), ("nas_bench_201", 16), ("lenet5", 32)]
HEURISTICS = [
    {},
    {"optimizer": "muon", "ema": 0.9, "layer_decay": 0.7},
    {"drop_connect": 0.2, "drop_path": 0.2, "reset_last": 2, "amp": "on", "optimizer": "adagrad"},
]


def design(name: str, side: int) -> tuple[Blueprint, Scale]:
    if name == "lenet5":
        found = preset(name)
        return found.blueprint, replace(found.scale, input_channels=1)
    space = load_space(name)
    scale = replace(space.scales["proxy"], resolution_px=side, input_channels=1, classes=10)
    return space.decode([gene.default_number for gene in space.genes]), scale


@pytest.mark.slow
@pytest.mark.parametrize("heuristics", HEURISTICS, ids=lambda each: ",".join(each) or "plain")
@pytest.mark.parametrize(("name", "side"), NETWORKS, ids=lambda each: str(each))
def test_however_much_is_frozen_the_rest_learns(
    name: str, side: int, heuristics: dict[str, object]
) -> None:
    blueprint, scale = design(name, side)
    data = load_data(DataSettings(subset=60), scale.resolution_px)
    depth = len(parts(build(blueprint, scale, seed=0)))
    for freeze in (1, max(1, depth * 2 // 3), depth - 1, "all"):
        words = {"epochs": 1, "batch_size": 24, "freeze": freeze, **heuristics}
        recipe = TrainingSettings.model_validate(words)
        network = build(blueprint, scale, seed=0)
        prepare(network, recipe)
        before = {name: tensor.clone() for name, tensor in network.named_parameters()}
        train(network, data.train, data.problem, recipe, 1)
        moved = {n for n, t in network.named_parameters() if not torch.equal(t, before[n])}
        trainable = {name for name, tensor in network.named_parameters() if tensor.requires_grad}
        assert moved <= trainable, freeze
        assert moved, freeze


def test_behind_what_is_frozen_there_is_none() -> None:
    blueprint, scale = design("mobile_cells", 16)
    image = torch.zeros(1, *scale.input_shape)
    heads = []
    for freeze in (0, 1, "all"):
        network = build(blueprint, scale, seed=0)
        prepare(network, RECIPE.model_copy(update={"freeze": freeze}))
        with attached(network, CLASSES, RECIPE, image, 0, {}) as auxiliary:
            heads.append(auxiliary is not None)
    assert heads == [True, True, False]
