from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import SMALL_DETECTOR
from torch import nn

from evonas.blueprint import plan_network
from evonas.errors import SettingsError
from evonas.exporters.file_names import WEIGHTS
from evonas.exporters.weights import write_weights
from evonas.models import Network, build
from evonas.models.layers import SqueezeExcite
from evonas.presets import preset
from evonas.settings import TrainingSettings
from evonas.space import Scale, load_space
from evonas.training.parts import last_norms, parts, residual_branches, units, unskipped_norms
from evonas.training.regularisation import regularised
from evonas.training.transfer import frozen_to_eval, parameter_groups, prepare

PARTS = ["stem", "stage_1", "stage_2", "head"]


def network(seed: int = 0, classes: int = 10, **scale: Any) -> nn.Module:
    space = load_space("nano")
    own = Scale("proxy", resolution_px=8, input_channels=1, classes=classes, **scale)
    return build(space.decode([1.0] * len(space.genes)), own, seed=seed)


def recipe(**values: Any) -> TrainingSettings:
    return TrainingSettings(**values)


def state(net: nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in net.state_dict().items()}


@pytest.fixture
def file(working_folder: Path) -> Path:
    """Weights of a network with seed 1."""
    write_weights(working_folder, network(seed=1))
    return working_folder / WEIGHTS


def test_the_same_network_takes_all(file: Path) -> None:
    own = network(seed=0)
    found = prepare(own, recipe(weights=file))
    wanted = state(network(seed=1))
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in state(own).items())
    assert found.taken == tuple(wanted)
    assert found.fresh == found.unused == ()
    assert str(found) == f"{len(wanted)} tensors taken"


def test_a_classifier_of_other_classes_stays_fresh(file: Path) -> None:
    own = network(classes=4)
    fresh = state(own)
    found = prepare(own, recipe(weights=file))
    names = ("head.classifier.0.weight", "head.classifier.0.bias")
    assert found.fresh == names
    assert set(found.unused) == set(names)
    wanted = state(network(seed=1))
    for name, tensor in state(own).items():
        assert torch.equal(tensor, (fresh if name in names else wanted)[name])
    assert "2 left fresh: head.classifier.0.weight, head.classifier.0.bias" in str(found)


def damaged(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:100])


def foreign(file: Path) -> None:
    safetensors.torch.save_file({"fc.weight": torch.zeros(3, 4)}, file)


def counters_only(file: Path) -> None:
    name = "stem.1.num_batches_tracked"
    safetensors.torch.save_file({name: torch.tensor(3)}, file)


def torch_file(file: Path) -> None:
    torch.save({"stem.0.weight": torch.zeros(3)}, file)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (Path.unlink, "there is no file .*weights.safetensors. Give a weights.safetensors"),
        (damaged, "weights.safetensors cannot be read as safetensors: .*Give a weights"),
        (torch_file, "weights.safetensors cannot be read as safetensors"),
        (foreign, r"nothing in .*weights.safetensors fits .*fc.weight \(3, 4\).*stem.0.weight"),
        (counters_only, "nothing in .* fits .*It holds no weights"),
    ],
)
def test_a_file_that_cannot_be_used_is_told(file: Path, change: Any, problem: str) -> None:
    change(file)
    own = network()
    before = state(own)
    with pytest.raises(SettingsError, match=problem):
        prepare(own, recipe(weights=file))
    assert all(torch.equal(tensor, before[name]) for name, tensor in state(own).items())


def test_a_folder_is_no_file(working_folder: Path) -> None:
    with pytest.raises(SettingsError, match="there is no file"):
        prepare(network(), recipe(weights=working_folder))


def test_the_last_layers_are_drawn_anew(file: Path) -> None:
    loaded = state(network(seed=1))
    own = network()
    prepare(own, recipe(weights=file, reset_last=2), seed=7)
    changed = {n for n, tensor in state(own).items() if not torch.equal(tensor, loaded[n])}
    assert changed == {"head.convolution.0.weight", "head.classifier.0.weight"}
    again, other = network(), network()
    prepare(again, recipe(weights=file, reset_last=2), seed=7)
    prepare(other, recipe(weights=file, reset_last=2), seed=8)
    weights = [net.get_parameter("head.convolution.0.weight") for net in (own, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    prepare(own, recipe(reset_last=1000))  # no more than there are


def step(net: nn.Module, **values: Any) -> set[str]:
    """The tensors that a step of training changes."""
    before = state(net)
    groups = parameter_groups(net, recipe(**values))
    optimiser = torch.optim.SGD([{"params": group["params"]} for group in groups], lr=0.1)
    frozen_to_eval(net.train())
    images = torch.randn(8, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    net(images).square().sum().backward()
    optimiser.step()
    return {n for n, tensor in state(net).items() if not torch.equal(tensor, before[n])}


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_frozen_parts_do_not_change_nor_do_their_statistics(count: int) -> None:
    net = network()
    assert [name for name, _ in parts(net)] == PARTS
    prepare(net, recipe(freeze=count))
    changed = {name.partition(".")[0] for name in step(net, freeze=count)}
    assert changed == set(PARTS[count:])


def test_all_trains_the_classifier_alone() -> None:
    net = network()
    prepare(net, recipe(freeze="all"))
    names = {"head.classifier.0.weight", "head.classifier.0.bias"}
    assert step(net, freeze="all") == names
    with regularised(net, recipe(dropout=0.5)):  # still acts before what is trained
        torch.manual_seed(0)
        images = torch.randn(8, 1, 8, 8)
        assert not torch.equal(net(images), net(images))


def test_freezing_everything_is_refused() -> None:
    problem = r"training.freeze=4: the network has 4 parts \(stem, stage_1, .* at most 3, or all"
    with pytest.raises(SettingsError, match=problem):
        prepare(network(), recipe(freeze=4))


def detector() -> nn.Module:
    space = load_space(str(SMALL_DETECTOR))
    return build(space.decode([0.0] * len(space.genes)), space.scales["proxy"], seed=0)


def of_the_same_stages() -> nn.Module:
    """A classifier that has the backbone of a detector."""
    space = load_space(str(SMALL_DETECTOR))
    design = space.decode([0.0] * len(space.genes))
    backbone = {**design.network["backbone"], "builder": "stages", "head": {"channels": 32}}
    network = {**backbone, "activation": design.network["activation"]}
    return build(replace(design, network=network), space.scales["proxy"], seed=1)


def of_backbone(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.startswith(("stem.", "stage_1.", "stage_2."))}


def test_a_classifier_is_a_backbone_to_begin_with(working_folder: Path) -> None:
    own = detector()
    classifier = of_the_same_stages()
    write_weights(working_folder, classifier)
    found = prepare(own, recipe(weights=working_folder / WEIGHTS))
    wanted = state(classifier)
    assert {*found.taken} == of_backbone(wanted) == of_backbone(state(own))
    assert all(torch.equal(state(own)[name], wanted[name]) for name in found.taken)
    assert {name.partition(".")[0] for name in found.unused} == {"head"}


def test_neck_and_head_of_a_detector_are_one_part() -> None:
    own = detector()
    names = [name for name, _ in parts(own)]
    assert names == ["stem", "stage_1", "stage_2", "neck and head"]
    groups = parameter_groups(own, recipe(layer_decay=0.5))
    assert [group["lr_scale"] for group in groups] == [0.125, 0.25, 0.5, 1.0]
    with pytest.raises(
        SettingsError, match=r"has 4 parts \(stem, .*Write at most 3, or all for all"
    ):
        prepare(own, recipe(freeze=4))


@pytest.mark.parametrize("freeze", [3, "all"])
def test_neck_and_head_alone_are_trained(freeze: int | str) -> None:
    own = detector()
    prepare(own, recipe(freeze=freeze))
    frozen = {name for name, tensor in own.named_parameters() if not tensor.requires_grad}
    assert frozen == of_backbone(name for name, _ in own.named_parameters())
    before = state(own)
    frozen_to_eval(own.train())
    own(torch.randn(4, 3, 32, 32))  # would move what norms know of maps
    assert all(torch.equal(state(own)[name], before[name]) for name in of_backbone(before))


def test_cells_are_parts_of_their_own() -> None:
    space = load_space("darts_cells")
    design = space.decode(space.sample(np.random.default_rng(0)))
    net = build(design, space.scales["proxy"], seed=0)
    names = [name for name, _ in parts(net)]
    assert names[:2] == ["stem", "cell_1"]
    assert names[-1] == "head"
    prepare(net, recipe(freeze=2))
    frozen = {n for n, tensor in net.named_parameters() if not tensor.requires_grad}
    first = {n for n, _ in net.named_parameters() if n.startswith(("stem.", "cell_1."))}
    assert frozen == first


def test_rates_decay_towards_the_input() -> None:
    net = network()
    groups = parameter_groups(net, recipe(layer_decay=0.5))
    assert [group["lr_scale"] for group in groups] == [0.125, 0.25, 0.5, 1.0]
    for group, (_, part) in zip(groups, parts(net), strict=True):
        assert [id(p) for p in group["params"]] == [id(p) for p in part.parameters()]


def test_frozen_parameters_are_in_no_group() -> None:
    net = network()
    prepare(net, recipe(freeze=2))
    (group,) = parameter_groups(net, recipe())
    trained = [p for p in net.parameters() if p.requires_grad]
    assert [id(p) for p in group["params"]] == [id(p) for p in trained]
    assert group["lr_scale"] == 1
    decayed = parameter_groups(net, recipe(layer_decay=0.5))
    assert [found["lr_scale"] for found in decayed] == [0.5, 1.0]


def test_parameters_outside_all_parts_are_trained_as_the_input_is() -> None:
    net = network()
    net.scale = nn.Parameter(torch.ones(()))
    first, *_ = groups = parameter_groups(net, recipe(layer_decay=0.5))
    assert first == {"params": [net.scale], "lr_scale": 0.5**4}
    assert sum(len(group["params"]) for group in groups) == len(list(net.parameters()))


@pytest.mark.parametrize(
    ("name", "branches"),
    [
        ("mobilenet_v2", 10),
        ("resnet20_cifar", 9),
        ("wrn_28_10", 12),
        ("resnext50_32x4d", 16),
        ("darknet53", 23),
        ("xception", 8),  # those beside a convolution are none
        ("vgg11", 0),
    ],
)
def test_residual_branches_begin_small(name: str, branches: int) -> None:
    own = preset(name)
    with torch.device("meta"):
        net = Network(plan_network(own.blueprint, own.scale))
    found = list(residual_branches(net))
    assert len(found) == branches
    assert all(len(last_norms(branch)) == 1 for branch in found)


def mobilenet(seed: int = 0) -> nn.Module:
    scale = Scale("small", resolution_px=32, width=0.5, classes=10)
    return build(preset("mobilenet_v2").blueprint, scale, seed=seed)


def test_what_is_added_to_a_shortcut_is_multiplied() -> None:
    nets = mobilenet(), mobilenet()
    for net, gain in zip(nets, (1.0, 0.25), strict=True):
        prepare(net, recipe(residual_init=gain))
    for whole, quarter in zip(*map(residual_branches, nets), strict=True):
        given = torch.randn(4, next(whole.parameters()).shape[1], 8, 8)
        assert torch.allclose(quarter(given), whole(given) / 4, atol=1e-6)
    norms = {
        id(norm.weight) for branch in residual_branches(nets[1]) for norm in last_norms(branch)
    }
    others = [
        torch.equal(one, other)
        for one, other in zip(nets[0].parameters(), nets[1].parameters(), strict=True)
        if id(other) not in norms
    ]
    assert len(norms) == 10
    assert all(others)


@pytest.mark.parametrize(
    ("name", "norms"),
    [
        ("mobilenet_v2", 13),  # of seven blocks two each, but for the first, which does not expand
        ("darknet53", 5),
        ("resnet20_cifar", 0),
    ],
)
def test_norms_of_blocks_without_a_shortcut(name: str, norms: int) -> None:
    own = preset(name)
    with torch.device("meta"):
        net = Network(plan_network(own.blueprint, own.scale))
    assert len(list(unskipped_norms(net))) == norms


def test_blocks_without_a_shortcut_begin_nearly_linear() -> None:
    """Where a layer is linear, f(-x) = 2 f(0) - f(x)."""

    def bend(shift: float) -> float:
        net = mobilenet()
        prepare(net, recipe(shift_init=shift))
        block: Any = next(unit for unit in units(net) if not getattr(unit, "skip", True))
        given = torch.randn(16, next(block.parameters()).shape[0], 8, 8)
        with torch.no_grad():
            up, down, zero = (block.layers(each) for each in (given, -given, 0 * given))
        return ((up + down - 2 * zero).norm() / (up - down).norm()).item()

    assert bend(2.0) < bend(1.0) < bend(0.0)


def test_blocks_with_a_shortcut_are_not_shifted() -> None:
    nets = mobilenet(), mobilenet()
    for net, shift in zip(nets, (0.0, 1.5), strict=True):
        prepare(net, recipe(shift_init=shift))
    shifted = {id(norm.get_parameter("bias")) for norm in unskipped_norms(nets[1])}
    for before, after in zip(nets[0].parameters(), nets[1].parameters(), strict=True):
        wanted = torch.full_like(before, 1.5) if id(after) in shifted else before
        assert torch.equal(after, wanted)


DEPTHS = pytest.mark.parametrize(
    ("blocks", "depth"), [(2, 0.0), (4, 0.0), (8, 0.5), (12, 1.0), (20, 1.0)]
)


def stack(blocks: int, skip: str) -> nn.Module:
    """So many equal blocks."""
    space = load_space("nano")
    design = space.decode([1.0] * len(space.genes))
    channels = design.network["stem"]["channels"]
    stage = {**design.network["stages"][0], "skip": skip, "stride": 1, "layers": blocks}
    deep = replace(design, network={**design.network, "stages": [{**stage, "channels": channels}]})
    net = build(deep, space.scales["proxy"], seed=0)
    assert len(units(net)) == blocks
    return net


def values(norms: Iterable[nn.Module], name: str) -> set[float]:
    return {value for norm in norms for value in norm.get_parameter(name).unique().tolist()}


@DEPTHS
def test_the_shift_grows_with_the_depth(blocks: int, depth: float) -> None:
    net = stack(blocks, "none")
    prepare(net, recipe(shift_init=2.0))
    assert values(unskipped_norms(net), "bias") == {2 * depth}


@DEPTHS
def test_the_deeper_the_less_is_added_to_a_shortcut(blocks: int, depth: float) -> None:
    net = stack(blocks, "identity")
    prepare(net, recipe(residual_init=0.25))
    norms = [norm for branch in residual_branches(net) for norm in last_norms(branch)]
    assert values(norms, "weight") == {1 - 0.75 * depth}


def test_the_depth_of_a_chain_is_that_of_its_sums() -> None:
    own = preset("xception")  # eight, and no blocks
    net = build(own.blueprint, own.scale, seed=0)
    prepare(net, recipe(residual_init=0.25))
    norms = [norm for branch in residual_branches(net) for norm in last_norms(branch)]
    assert values(norms, "weight") == {0.625}


@pytest.mark.parametrize(("activation", "norms"), [("swish", 2), ("sigmoid", 0)])
def test_norms_before_a_sigmoid_stay_centred(activation: str, norms: int) -> None:
    space = load_space("nano")
    design = space.decode([1.0] * len(space.genes))
    changed = replace(design, network={**design.network, "activation": activation})
    assert len(list(unskipped_norms(build(changed, space.scales["proxy"])))) == norms


@pytest.mark.parametrize(("name", "gates"), [("mnasnet_a1", 0.88), ("mobilenet_v3_large", 0.83)])
def test_gates_begin_nearly_open(name: str, gates: float) -> None:
    """Whichever sigmoid they have; half open where they are left as they were drawn."""
    own = preset(name)
    nets = build(own.blueprint, own.scale, seed=0), build(own.blueprint, own.scale, seed=0)
    for net, bias in zip(nets, (0.0, 2.0), strict=True):
        prepare(net, recipe(gate_init=bias))
    for net, wanted, spread in zip(nets, (0.5, gates), (0.5, 0.1), strict=True):
        attention = [module for module in net.modules() if isinstance(module, SqueezeExcite)]
        assert attention
        for module in attention:
            maps = torch.randn(8, module.reduce.in_channels, 4, 4)
            with torch.no_grad():
                passed = module(maps) / maps
            assert passed.mean().item() == pytest.approx(wanted, abs=0.05)
            assert passed.std().item() < spread


def test_weights_stay_as_they_were_drawn_if_so_asked() -> None:
    net = mobilenet()
    prepare(net, recipe(residual_init=1.0, shift_init=0.0, gate_init=0.0))
    wanted = state(mobilenet())
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in state(net).items())


def test_weights_that_are_given_stay_as_they_are(working_folder: Path) -> None:
    write_weights(working_folder, mobilenet(seed=1))
    net = mobilenet()
    prepare(net, recipe(weights=working_folder / WEIGHTS, residual_init=0.5))
    wanted = state(mobilenet(seed=1))
    assert all(torch.equal(tensor, wanted[name]) for name, tensor in state(net).items())
