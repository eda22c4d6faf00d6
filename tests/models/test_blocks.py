from typing import Any

import onnxruntime
import pytest
import torch
from torch import nn

from evonas.exporters.onnx import INPUT_NAME, quick_onnx
from evonas.models import initialise
from evonas.models.activations import ACTIVATIONS
from evonas.models.blocks import BLOCK_KEYS, BLOCKS
from evonas.models.layers import SqueezeExcite
from evonas.models.stages import plan_stages

OWN_ARGUMENTS = {"inverted_residual": {"expanded": 24}}  # of blocks that need more than others

blocks = pytest.mark.parametrize("name", BLOCKS)
attention = pytest.mark.parametrize("squeezed", [0, 2])


def block(name: str, squeezed: int = 0, **arguments: Any) -> nn.Module:
    """A block from 8 to 16 channels at stride 1, with weights of seed 0."""
    attention = {"squeezed": squeezed, "activation": "relu", "gate": "sigmoid"}
    default = {
        "in_channels": 8,
        "out_channels": 16,
        "kernel": 3,
        "stride": 1,
        "activation": "relu",
        "attention": attention if squeezed else None,
        "skip": False,
        **OWN_ARGUMENTS.get(name, {}),
    }
    made = BLOCKS[name](**{**default, **arguments})
    initialise(made, seed=0)
    return made


def images(side: int = 9, channels: int = 8) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(4, channels, side, side, generator=generator)


@blocks
@attention
@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize(("stride", "side"), [(1, 9), (2, 5)])
def test_a_block_gives_its_channels_and_the_size_of_its_stride(
    name: str, squeezed: int, kernel: int, stride: int, side: int
) -> None:
    made = block(name, kernel=kernel, stride=stride, squeezed=squeezed)
    assert made(images(9)).shape == (4, 16, side, side)


@blocks
@attention
def test_a_skip_adds_the_input_and_keeps_its_shape(name: str, squeezed: int) -> None:
    with_skip, without = (
        block(name, out_channels=8, skip=skip, squeezed=squeezed).eval() for skip in (True, False)
    )
    given = images()
    torch.testing.assert_close(with_skip(given), given + without(given))


@blocks
@pytest.mark.parametrize("squeezed", [0, 8])  # 8: hidden units enough that some are not dead
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("skip", [True, False])
def test_the_gradient_reaches_every_weight(
    name: str, squeezed: int, activation: str, skip: bool
) -> None:
    made = block(
        name, out_channels=8 if skip else 16, skip=skip, squeezed=squeezed, activation=activation
    )
    out = made(images())
    # Not the sum: a norm keeps it from changing.
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    for key, weights in made.named_parameters():
        assert weights.grad is not None, key
        assert weights.grad.any(), key


@blocks
@attention
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_block_computes_the_same_in_onnxruntime(
    name: str, squeezed: int, activation: str
) -> None:
    made = block(name, stride=2, squeezed=squeezed, activation=activation)
    made(2 * images() + 1)  # norms that do more than nothing
    model = quick_onnx(made, (8, 9, 9), batch=4)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    (exported,) = session.run(None, {INPUT_NAME: images().numpy()})
    with torch.no_grad():
        torch.testing.assert_close(torch.from_numpy(exported), made(images()), atol=1e-4, rtol=1e-4)


@blocks
def test_the_same_seed_gives_the_same_output(name: str) -> None:
    first, second = (block(name, squeezed=2).eval() for _ in range(2))
    assert torch.equal(first(images()), second(images()))
    initialise(second, seed=1)
    assert not torch.equal(first(images()), second(images()))


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
    stage = {
        "operation": "inverted_residual",
        "expansion": 6,
        "kernel": 3,
        "se_ratio": 0.25,
        "skip": "none",
        "channels": 16,
        "layers": 1,
        "stride": 1,
    }
    network = {
        "input": [3, 8, 8],
        "classes": 10,
        "activation": "relu",
        "attention": attention,
        "stem": {"channels": 14, "kernel": 3, "stride": 1},
        "stages": [stage],
        "head": {"channels": 16},
    }
    (_, (layer,)) = plan_stages(network).parts[1]
    assert layer.arguments["expanded"] == 84
    assert layer.arguments["attention"]["squeezed"] == squeezed


@blocks
@attention
def test_a_block_of_one_channel_still_has_attention(name: str, squeezed: int) -> None:
    made = block(name, in_channels=1, squeezed=squeezed)
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


def test_keys_of_blocks_belong_to_blocks() -> None:
    assert set(BLOCK_KEYS) <= set(BLOCKS)
