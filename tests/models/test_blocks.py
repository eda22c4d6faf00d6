from typing import Any

import pytest
import torch
from conftest import a_network, a_stage
from test_operations import assert_gradient_reaches_every_weight
from test_operations import assert_same_in_onnxruntime as is_same_in_onnxruntime
from torch import nn

from evonas.exporters.onnx import onnx_model
from evonas.models import initialise
from evonas.models.activations import ACTIVATIONS
from evonas.models.layers import DropPath, SqueezeExcite
from evonas.models.modules import MODULES
from evonas.models.norms import NORMS
from evonas.networks.stages.blocks import BLOCKS
from evonas.networks.stages.plan import plan_stages

OWN_ARGUMENTS = {  # of blocks that need more than others
    "inverted_residual": {"expanded": 24},
    "residual": {"inner": 8},
    "bottleneck": {"inner": 8},
    "dense": {"growth": 8, "inner": 4},
    "dual_path": {"residual": 4, "growth": 4, "inner": 8},
    "fire": {"inner": 4},
    "fractal": {"columns": 3},
    "darknet": {"inner": 4},
}
KEY_ARGUMENTS = {"kernel": ("kernel",), "se_ratio": ("attention",), "skip": ("skip", "drop_path")}

SKIPPING = [name for name, block in BLOCKS.items() if "skip" in block.keys]
ATTENTIVE = [name for name, block in BLOCKS.items() if "se_ratio" in block.keys]

blocks = pytest.mark.parametrize("name", BLOCKS)
skipping = pytest.mark.parametrize("name", SKIPPING)
with_and_without_attention = pytest.mark.parametrize(
    ("name", "squeezed"), [*((name, 0) for name in BLOCKS), *((name, 2) for name in ATTENTIVE)]
)
norms = pytest.mark.parametrize("norm", NORMS)


def block(name: str, squeezed: int = 0, **arguments: Any) -> nn.Module:
    """A block from 8 to 16 channels at stride 1, with weights of seed 0."""
    attention = {"squeezed": squeezed, "activation": "relu", "gate": "sigmoid"}
    of_keys = {"kernel": 3, "attention": attention if squeezed else None, "skip": False}
    taken = [taken for key in BLOCKS[name].keys for taken in KEY_ARGUMENTS.get(key, ())]
    default = {
        "in_channels": 8,
        "out_channels": 16,
        "stride": 1,
        "activation": "relu",
        **{argument: value for argument, value in of_keys.items() if argument in taken},
        **OWN_ARGUMENTS.get(name, {}),
    }
    made = MODULES[BLOCKS[name].module](**{**default, **arguments})
    initialise(made, seed=0)
    return made


def images(side: int = 9, channels: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, channels, side, side, generator=generator)


@with_and_without_attention
@norms
@pytest.mark.parametrize(("stride", "side"), [(1, 9), (2, 5), (3, 3)])
def test_a_block_gives_its_channels_and_the_size_of_its_stride(
    name: str, squeezed: int, norm: str, stride: int, side: int
) -> None:
    made = block(name, stride=stride, squeezed=squeezed, norm=norm)
    assert made(images(9)).shape == (4, 16, side, side)


@pytest.mark.parametrize("name", [name for name, block in BLOCKS.items() if "kernel" in block.keys])
@pytest.mark.parametrize("kernel", [1, 3, 5, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_kernel_changes_weights_but_no_shape(name: str, kernel: int, stride: int) -> None:
    made = block(name, stride=stride, kernel=kernel)
    sides = {layer.kernel_size for layer in made.modules() if isinstance(layer, nn.Conv2d)}
    assert (kernel, kernel) in sides
    assert made(images(9)).shape == (4, 16, 9 // stride + stride - 1, 9 // stride + stride - 1)


@skipping
@pytest.mark.parametrize("squeezed", [0, 2])
@norms
def test_a_skip_adds_the_input_and_keeps_its_shape(name: str, squeezed: int, norm: str) -> None:
    with_skip, without = (
        block(name, out_channels=8, skip=skip, squeezed=squeezed, norm=norm).eval()
        for skip in (True, False)
    )
    given = images()
    torch.testing.assert_close(with_skip(given), given + without(given))


@skipping
def test_a_dropped_path_leaves_the_skip_alone(name: str) -> None:
    made = block(name, out_channels=8, skip=True, drop_path=0.5)
    given = images()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        out = made(given.repeat(16, 1, 1, 1))
    changed = (out != given.repeat(16, 1, 1, 1)).flatten(1).any(1)
    assert 16 < changed.sum() < 48
    torch.testing.assert_close(made.eval()(given), given + made.get_submodule("layers")(given))


@skipping
@pytest.mark.parametrize(("skip", "drop_path"), [(False, 0.5), (True, 0.0)])
def test_what_drops_no_path_has_no_module_for_it(name: str, skip: bool, drop_path: float) -> None:
    made = block(name, out_channels=8, skip=skip, drop_path=drop_path)
    assert not any(isinstance(module, DropPath) for module in made.modules())


@blocks
@pytest.mark.parametrize("activation", ACTIVATIONS)
@norms
def test_the_gradient_reaches_every_weight(name: str, activation: str, norm: str) -> None:
    assert_gradient_reaches_every_weight(block(name, activation=activation, norm=norm), images())


@pytest.mark.parametrize("name", sorted({*SKIPPING} & {*ATTENTIVE}))
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_gradient_reaches_every_weight_beside_a_skip(name: str, activation: str) -> None:
    # 8 hidden units of attention are enough that some are not dead.
    made = block(name, out_channels=8, skip=True, squeezed=8, activation=activation)
    assert_gradient_reaches_every_weight(made, images())


def assert_same_in_onnxruntime(made: nn.Module) -> None:
    made(2 * images() + 1)  # norms that do more than nothing
    is_same_in_onnxruntime(onnx_model(made, (8, 9, 9), batch=4), made, images())


@with_and_without_attention
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_block_computes_the_same_in_onnxruntime(
    name: str, squeezed: int, activation: str
) -> None:
    assert_same_in_onnxruntime(block(name, stride=2, squeezed=squeezed, activation=activation))


@skipping
@norms
def test_a_block_that_drops_paths_computes_the_same_in_onnxruntime(name: str, norm: str) -> None:
    made = block(name, out_channels=8, skip=True, drop_path=0.5, norm=norm)
    assert_same_in_onnxruntime(made)


@skipping
def test_a_block_may_add_the_means_of_pixels_in_place_of_what_it_is_given(name: str) -> None:
    plain = block(name, out_channels=8).eval()
    pooled = block(name, out_channels=8, skip="pool").eval()
    assert list(pooled.state_dict()) == list(plain.state_dict())
    ones = torch.ones(1, 1, 3, 3).expand(8, 1, 3, 3)
    sums = nn.functional.conv2d(images(), ones, padding=1, groups=8)
    counts = nn.functional.conv2d(torch.ones_like(images()), ones, padding=1, groups=8)
    torch.testing.assert_close(pooled(images()), plain(images()) + sums / counts)
    assert_same_in_onnxruntime(pooled.train())


@pytest.mark.parametrize(
    ("attention", "squeezed"),
    [
        ({}, 3),  # a quarter of 14 channels, rounded down
        ({"base": "expanded"}, 21),  # a quarter of 6 x 14
        ({"base": "expanded", "round8": True}, 24),
    ],
)
def test_attention_is_squeezed_relative_to_input_or_expansion(
    attention: dict[str, Any], squeezed: int
) -> None:
    stage = a_stage(operation="inverted_residual", expansion=6, se_ratio=0.25, skip="none")
    stem = {"channels": 14, "kernel": 3, "stride": 1}
    network = a_network(stage, attention=attention, stem=stem, input=[3, 8, 8], classes=10)
    (layer,) = plan_stages(network).parts[1].layers
    assert layer.arguments["expanded"] == 84
    assert layer.arguments["attention"]["squeezed"] == squeezed


@with_and_without_attention
@norms
def test_a_block_takes_a_single_channel(name: str, squeezed: int, norm: str) -> None:
    made = block(name, in_channels=1, squeezed=squeezed, norm=norm)
    assert made(images(channels=1)).shape == (4, 16, 9, 9)


def test_attention_scales_whole_maps_by_gates_between_0_and_1() -> None:
    attention = SqueezeExcite(8, 2, "relu", "sigmoid")
    given = images().abs() + 0.1
    gates = attention(given) / given
    torch.testing.assert_close(gates, gates.mean((2, 3), keepdim=True).expand_as(gates))
    assert bool(((gates > 0) & (gates < 1)).all())


def test_a_block_that_ends_linearly_gives_negative_values_and_one_that_does_not_gives_none() -> (
    None
):
    linear, activated = (
        block("depthwise_separable", linear=end)(images()) for end in (True, False)
    )
    assert bool((linear < 0).any())
    assert not bool((activated < 0).any())


@norms
def test_identity_passes_maps_on_or_maps_them_linearly(norm: str) -> None:
    given = images()
    assert torch.equal(block("identity", out_channels=8, norm=norm)(given), given)
    for changes in ({"out_channels": 16}, {"out_channels": 8, "stride": 2}):
        made = block("identity", norm=norm, **changes).eval()
        bias = made(torch.zeros(1, 8, 9, 9))
        torch.testing.assert_close(made(-given) - bias, bias - made(given))


@blocks
def test_a_convolution_has_a_bias_where_there_is_no_norm(name: str) -> None:
    for norm in NORMS:
        convolutions = [m for m in block(name, norm=norm).modules() if isinstance(m, nn.Conv2d)]
        assert convolutions
        assert all((m.bias is not None) == (norm == "none") for m in convolutions)
