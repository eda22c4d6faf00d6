from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import a_network, a_stage
from torch import nn

from evonas.exporters.file_names import WEIGHTS
from evonas.exporters.weights import write_weights
from evonas.models import build
from evonas.space import Scale, load_space
from evonas.space.document import document_of
from evonas.space.load import space_of
from evonas.training.inheritance import inherit

SCALE = Scale("proxy", resolution_px=16, input_channels=1)
BLOCK = a_stage(operation="inverted_residual", expansion=3, layers=2)
CONV = {**{k: v for k, v in BLOCK.items() if k != "expansion"}, "operation": "conv"}
SEPARABLE = {**CONV, "operation": "depthwise_separable"}


def network(
    *stages: dict[str, Any], seed: int = 0, head: int = 32, block: Any = BLOCK, **more: Any
) -> nn.Module:
    """Two stages, changed by what is given for each."""
    given = [*stages, {}, {}][:2]
    own = [{**block, **given[0]}, {**block, "channels": 24, "stride": 2, **given[1]}]
    stem = {"channels": 8, "kernel": 3, "stride": 2}
    values = a_network(*own, stem=stem, head={"channels": head}, **more)
    scales = {"proxy": {"resolution_px": 16}, "full": {"resolution_px": 16}}
    space = space_of(document_of({"network": values, "scales": scales}, "chain"))
    return build(space.decode([]), SCALE, seed=seed)


def images() -> torch.Tensor:
    return torch.randn(8, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def trained(net: nn.Module) -> nn.Module:
    """With norms and biases as a training leaves them: nothing is 0 or 1."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for name, tensor in net.state_dict().items():
            if tensor.dim() == 1 and not name.endswith("running_var"):
                tensor.copy_(0.5 * torch.randn(tensor.shape, generator=generator) + 0.2)
            elif tensor.dim() == 1:
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
    return net


def handed_down(parent: nn.Module, child: nn.Module) -> float:
    return inherit(child, parent, {name: t.clone() for name, t in parent.state_dict().items()})


def logits(net: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return net.eval()(images())


def check_same_function(parent: nn.Module, child: nn.Module) -> float:
    wanted = logits(trained(parent))
    assert not torch.allclose(logits(child), wanted)
    share = handed_down(parent, child)
    torch.testing.assert_close(logits(child), wanted, atol=1e-4, rtol=1e-4)
    return share


def test_the_same_design_is_the_same_network(working_folder: Path) -> None:
    parent, child = trained(network(seed=1)), network()
    write_weights(working_folder, parent)
    assert inherit(child, parent, safetensors.torch.load_file(working_folder / WEIGHTS)) == 1
    assert torch.equal(logits(child), logits(parent))
    for name, tensor in parent.state_dict().items():
        assert torch.equal(tensor, child.state_dict()[name])


ATTENTIVE = {**BLOCK, "se_ratio": 0.25}
EXPANDED = {"base": "expanded", "activation": "relu", "gate": "sigmoid", "round8": False}


@pytest.mark.parametrize("block", [BLOCK, CONV, SEPARABLE], ids=["inverted", "conv", "separable"])
def test_a_larger_kernel_keeps_the_function(block: dict[str, Any]) -> None:
    parent = network(seed=1, block=block)
    child = network({"kernel": 7}, {"kernel": 5}, block=block)
    assert check_same_function(parent, child) == 1


def test_a_smaller_kernel_is_the_middle_of_the_larger() -> None:
    parent, child = network({"kernel": 5}, seed=1), network()
    assert handed_down(parent, child) == 1
    name = "stage_1.1.layers.1.0.weight"
    assert torch.equal(child.state_dict()[name], parent.state_dict()[name][:, :, 1:4, 1:4])


@pytest.mark.parametrize("expansion", [4, 6, 10])
def test_a_wider_expansion_keeps_the_function(expansion: float) -> None:
    child = network({"expansion": expansion}, {"expansion": expansion})
    assert check_same_function(network(seed=1), child) == 1


def test_a_wider_expansion_keeps_the_function_of_attention() -> None:
    more = {"block": ATTENTIVE, "attention": EXPANDED}
    parent, child = network(seed=1, **more), network({"expansion": 6}, **more)
    assert check_same_function(parent, child) == 1


@pytest.mark.parametrize("block", [BLOCK, CONV, SEPARABLE], ids=["inverted", "conv", "separable"])
def test_more_channels_of_a_whole_stage_keep_the_function(block: dict[str, Any]) -> None:
    parent = network(seed=1, block=block)
    child = network({"channels": 24}, {"channels": 56}, block=block)
    assert check_same_function(parent, child) == 1


def test_a_wider_head_keeps_the_function() -> None:
    assert check_same_function(network(seed=1), network(head=100)) == 1


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize(
    "block", [BLOCK, CONV, SEPARABLE, ATTENTIVE], ids=["inverted", "conv", "separable", "attentive"]
)
def test_more_layers_keep_the_function(block: dict[str, Any], norm: str) -> None:
    parent = network({"layers": 1}, seed=1, block=block, norm=norm)
    child = network({"layers": 3}, {"layers": 3}, block=block, norm=norm)
    share = check_same_function(parent, child)
    assert 0 < share < 1
    own = dict(child.named_parameters())
    new = [n for n in own if n.startswith(("stage_1.1.", "stage_1.2.", "stage_2.2."))]
    left = sum(own[name].numel() for name in new)
    assert share == pytest.approx(1 - left / sum(tensor.numel() for tensor in own.values()))


def test_everything_at_once_keeps_the_function() -> None:
    child = network({"kernel": 5, "layers": 3, "expansion": 6}, {"channels": 32}, head=48)
    assert check_same_function(network(seed=1), child) < 1


def test_fewer_layers_are_the_first_ones() -> None:
    parent, child = network(seed=1), network({"layers": 1})
    assert handed_down(parent, child) == 1
    first = parent.state_dict()["stage_1.0.layers.0.0.weight"]
    assert torch.equal(child.state_dict()["stage_1.layers.0.0.weight"], first)


def test_copies_of_a_channel_learn_apart() -> None:
    parent, child = network(seed=1), network({"expansion": 6})
    handed_down(trained(parent), child)
    first = child.get_parameter("stage_1.1.layers.0.0.weight")
    assert torch.equal(first[:48], first[48:])
    optimiser = torch.optim.SGD(child.parameters(), lr=0.1)
    for _ in range(2):
        optimiser.zero_grad()
        nn.functional.cross_entropy(child.train()(images()), torch.arange(8)).backward()
        optimiser.step()
    assert not torch.allclose(first[:48], first[48:])


def test_of_more_channels_the_strongest_are_taken() -> None:
    parent, child = network(seed=1), network({"expansion": 2})
    name = "stage_1.1.layers.0.0.weight"
    with torch.no_grad():
        parent.get_parameter(name)[::3] *= 0.01  # a third of 48 is weak
    assert handed_down(parent, child) == 1
    kept = [channel for channel in range(48) if channel % 3]
    assert torch.equal(child.get_parameter(name), parent.get_parameter(name)[kept])
    project = "stage_1.1.layers.2.0.weight"
    assert torch.equal(child.get_parameter(project), parent.get_parameter(project)[:, kept])


def test_attention_that_comes_or_goes_leaves_the_rest() -> None:
    parent, child = network(seed=1), network(block=ATTENTIVE)
    share = handed_down(parent, child)
    own = dict(child.named_parameters())
    fresh = sum(t.numel() for n, t in own.items() if ".reduce." in n or ".expand." in n)
    assert share == pytest.approx(1 - fresh / sum(tensor.numel() for tensor in own.values()))
    assert handed_down(network(seed=1, block=ATTENTIVE), network()) == 1


def test_a_block_of_another_operation_stays_fresh() -> None:
    stage = {**SEPARABLE, "channels": 24, "stride": 2}
    parent = network(seed=1)
    values = [BLOCK, stage]
    child = network(*values, block={})
    fresh = child.state_dict()["stage_2.0.layers.0.0.weight"].clone()
    assert 0 < handed_down(parent, child) < 1
    found = child.state_dict()
    assert torch.equal(found["stage_2.0.layers.0.0.weight"], fresh)
    assert torch.equal(found["stage_1.0.layers.0.0.weight"], own_of(parent, "stage_1.0"))


def own_of(net: nn.Module, block: str) -> torch.Tensor:
    return net.state_dict()[f"{block}.layers.0.0.weight"]


def test_a_child_of_other_classes_has_its_own_classifier() -> None:
    space = load_space("nano")
    design = space.decode([1.0] * len(space.genes))
    parent, child = (build(design, Scale("p", resolution_px=8, classes=c), seed=c) for c in (10, 4))
    before = child.get_parameter("head.classifier.0.weight").clone()
    assert handed_down(parent, child) < 1
    assert torch.equal(child.get_parameter("head.classifier.0.weight"), before)


def test_nothing_is_inherited_from_a_stranger() -> None:
    child = network()
    before = {name: tensor.clone() for name, tensor in child.state_dict().items()}
    stranger = nn.Sequential(OrderedDict(fc=nn.Linear(4, 3), stem=nn.ReLU()))
    assert inherit(child, stranger, {}) == 0
    strange = {"fc.weight": torch.zeros(3, 4), "stem.0.weight": torch.zeros(2)}
    assert inherit(child, stranger, strange) == 0
    assert inherit(child, child, {"stem.0.weight": torch.zeros(2)}) == 0
    assert all(torch.equal(tensor, before[n]) for n, tensor in child.state_dict().items())


@pytest.mark.parametrize("name", ["darts_cells", "nas_bench_201", "nasnet_cells"])
def test_cells_inherit_what_fits_whole(name: str) -> None:
    space = load_space(name)
    rng = np.random.default_rng(0)
    scale = space.scales["proxy"]
    first, second = (space.decode(space.sample(rng)) for _ in range(2))
    parent = trained(build(first, scale, seed=1))
    child = build(first, scale, seed=0)
    assert handed_down(parent, child) == 1
    probe = torch.randn(4, *scale.input_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(child.eval()(probe), parent.eval()(probe))
    assert 0 < handed_down(parent, build(second, scale, seed=0)) <= 1


@pytest.mark.parametrize("name", ["nano", "mobile_cells", "mobile_layers", "nas_bench_macro"])
def test_any_two_designs_of_a_space_can_be_parent_and_child(name: str) -> None:
    space = load_space(name)
    rng = np.random.default_rng(0)
    scale = space.scales["proxy"]
    for _ in range(4):
        designs = [space.decode(space.sample(rng)) for _ in range(2)]
        parent, child, again = (build(designs[i], scale, seed=0) for i in (0, 1, 1))
        assert 0 < handed_down(parent, child) <= 1
        assert all(tensor.isfinite().all() for tensor in child.state_dict().values())
        handed_down(parent, again)
        for one, other in zip(child.parameters(), again.parameters(), strict=True):
            assert torch.equal(one, other)
