import math

import pytest
import torch
from conftest import in_onnxruntime
from torch import nn

from evonas.exporters.onnx import onnx_model
from evonas.models import initialise
from evonas.models.activations import ACTIVATIONS
from evonas.models.layers import (
    ActivationConvNorm,
    Block,
    ClassifierHead,
    ConvNormActivation,
    DropPath,
    Extent,
    FactorizedReduction,
)
from evonas.models.norms import NORMS, GroupNorm


def images(channels: int = 4, height: int = 7, width: int = 7, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, height, width, generator=generator)


def types(made: nn.Module) -> list[type[nn.Module]]:
    return [type(module) for module in made.children()]


# SELU's constants: arXiv 1706.02515, section 2, "Derivation of the self-normalizing ... function".
SELU_SCALE, SELU_ALPHA = 1.0507010, 1.6732632


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("relu", -1, 0),
        ("relu", 7, 7),
        ("relu6", 7, 6),
        ("leaky", -1, -0.1),
        ("leaky", 2, 2),
        ("prelu", -1, -0.25),
        ("elu", -1, math.exp(-1) - 1),
        ("selu", 1, SELU_SCALE),
        ("selu", -1, SELU_SCALE * SELU_ALPHA * (math.exp(-1) - 1)),
        ("mish", 1, 0.8650984),
        ("swish", 1, 1 / (1 + math.exp(-1))),
        ("hard_swish", 1, 2 / 3),
        ("hard_swish", -3, 0),
        ("sigmoid", 0, 0.5),
        ("hard_sigmoid", 1, 2 / 3),
        ("hard_sigmoid", 3, 1),
    ],
)
def test_an_activation_gives_the_number_of_its_formula(
    name: str, given: float, wanted: float
) -> None:
    out = ACTIVATIONS[name](1)(torch.tensor([[float(given)]]))
    assert out.item() == pytest.approx(wanted, abs=1e-6)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_a_fresh_module_that_leaves_its_input_alone(name: str) -> None:
    given = images()
    ACTIVATIONS[name](given.shape[1])(given)
    assert torch.equal(given, images())
    assert ACTIVATIONS[name](1) is not ACTIVATIONS[name](1)


@pytest.mark.parametrize(
    ("channels", "groups"),
    [(1, 1), (2, 1), (3, 1), (4, 2), (7, 1), (8, 4), (12, 6), (14, 7), (16, 8), (33, 3), (64, 8)],
)
def test_group_norm_has_at_most_8_groups_of_at_least_2_channels(channels: int, groups: int) -> None:
    assert GroupNorm(channels).num_groups == groups


def test_group_norm_gives_every_group_of_every_sample_mean_0_and_variance_1() -> None:
    out = GroupNorm(8)(5 * images(8) + 2).reshape(3, 4, -1)
    torch.testing.assert_close(out.mean(2), torch.zeros(3, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.var(2, correction=0), torch.ones(3, 4), atol=1e-4, rtol=0)


CONVOLUTIONS = pytest.mark.parametrize("made_by", [ConvNormActivation, ActivationConvNorm])


@CONVOLUTIONS
@pytest.mark.parametrize("kernel", [1, 3, 5, (1, 7), (3, 1)])
@pytest.mark.parametrize("dilation", [1, 2])
@pytest.mark.parametrize(
    ("stride", "shape"), [(1, (7, 8)), (2, (4, 4)), ((1, 2), (7, 4)), ((3, 1), (3, 8))]
)
def test_a_convolution_divides_the_size_by_its_stride(
    made_by: type[ConvNormActivation],
    kernel: Extent,
    dilation: int,
    stride: Extent,
    shape: tuple[int, int],
) -> None:
    made = made_by(4, 6, kernel, stride, activation="relu", dilation=dilation)
    assert made(images(height=7, width=8)).shape == (3, 6, *shape)


@CONVOLUTIONS
def test_padding_may_be_given(made_by: type[ConvNormActivation]) -> None:
    assert made_by(4, 6, 3, stride=2, padding=0)(images()).shape == (3, 6, 3, 3)
    assert made_by(4, 6, 3, padding=(0, 1))(images()).shape == (3, 6, 5, 7)


@CONVOLUTIONS
@pytest.mark.parametrize("norm", NORMS)
def test_a_convolution_has_a_norm_or_a_bias(made_by: type[ConvNormActivation], norm: str) -> None:
    made = made_by(4, 6, 3, norm=norm)
    convolution, after = made
    assert isinstance(convolution, nn.Conv2d)
    assert (convolution.bias is not None) == (norm == "none")
    assert type(after) is NORMS[norm]


def test_the_activation_comes_last_or_first_or_not_at_all() -> None:
    late, early = (
        make(4, 4, 3, activation="mish") for make in (ConvNormActivation, ActivationConvNorm)
    )
    assert types(late) == [nn.Conv2d, nn.BatchNorm2d, nn.Mish]
    assert types(early) == [nn.Mish, nn.Conv2d, nn.BatchNorm2d]
    for make in (ConvNormActivation, ActivationConvNorm):
        assert types(make(4, 4, 3)) == [nn.Conv2d, nn.BatchNorm2d]


def test_a_dilated_kernel_looks_at_pixels_apart() -> None:
    made = ConvNormActivation(1, 1, 3, norm="none", dilation=2)
    with torch.no_grad():
        made[0].weight.fill_(1)
        made[0].bias.zero_()
        dot = torch.zeros(1, 1, 7, 7)
        dot[..., 3, 3] = 1
        seen = made(dot)[0, 0].nonzero().tolist()
    assert seen == [[row, column] for row in (1, 3, 5) for column in (1, 3, 5)]


@pytest.mark.parametrize(("height", "width"), [(7, 7), (8, 8), (7, 8), (1, 1), (2, 1)])
@pytest.mark.parametrize("out_channels", [6, 7, 1])
@pytest.mark.parametrize("norm", NORMS)
def test_a_factorized_reduction_halves_maps(
    height: int, width: int, out_channels: int, norm: str
) -> None:
    made = FactorizedReduction(4, out_channels, "relu", norm)
    shape = (3, out_channels, -(-height // 2), -(-width // 2))
    assert made(images(4, height, width)).shape == shape


@pytest.mark.parametrize(
    ("side", "halves"),
    [
        (3, [[[1, 3], [7, 9]], [[5, 0], [0, 0]]]),  # moved by a pixel, with zeros beyond the border
        (4, [[[1, 3], [9, 11]], [[6, 8], [14, 16]]]),
    ],
)
def test_a_factorized_reduction_looks_at_even_pixels_and_at_odd_ones(
    side: int, halves: list[list[list[float]]]
) -> None:
    made = FactorizedReduction(1, 2, None, "none")
    for weights in made.parameters():
        nn.init.constant_(weights, 1 if weights.ndim == 4 else 0)
    given = torch.arange(1.0, side * side + 1).reshape(1, 1, side, side)
    assert made(given)[0].tolist() == halves


def test_both_halves_of_a_factorized_reduction_are_equal_and_an_odd_channel_is_zero() -> None:
    made = FactorizedReduction(4, 7, "relu")
    assert [layer.weight.shape[0] for layer in made.convolutions] == [3, 3]
    assert made.eval()(torch.randn(2, 4, 6, 6))[:, 6].count_nonzero() == 0
    assert all(layer.bias is None for layer in made.convolutions)
    assert isinstance(made.norm, nn.BatchNorm2d)
    assert isinstance(made.activation, nn.ReLU)
    assert isinstance(FactorizedReduction(4, 7, None).activation, nn.Identity)


@pytest.mark.parametrize("side", [7, 8])
@pytest.mark.parametrize("batch", [3, None])
def test_a_factorized_reduction_is_the_same_in_onnxruntime(side: int, batch: int | None) -> None:
    made = FactorizedReduction(4, 6, "relu")
    initialise(made, seed=0)
    given = images(4, side, side)
    made(2 * given + 1)
    exported = in_onnxruntime(onnx_model(made, (4, side, side), batch), given)
    with torch.no_grad():
        torch.testing.assert_close(exported, made(given), atol=1e-4, rtol=1e-4)


def dropped(probability: float, given: torch.Tensor, seed: int = 0) -> torch.Tensor:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        out: torch.Tensor = DropPath(probability)(given)
    return out


@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_a_dropped_path_is_all_or_nothing_for_each_sample(probability: float) -> None:
    given = images(count=1000)
    out = dropped(probability, given)
    kept = out.flatten(1).any(1)
    assert kept.float().mean().item() == pytest.approx(1 - probability, abs=0.05)
    torch.testing.assert_close(out[kept], given[kept] / (1 - probability))
    assert not out[~kept].any()


def test_paths_are_dropped_by_the_global_seed_and_in_training_alone() -> None:
    given = images(count=64)
    assert torch.equal(dropped(0.5, given, seed=1), dropped(0.5, given, seed=1))
    assert not torch.equal(dropped(0.5, given, seed=1), dropped(0.5, given, seed=2))
    assert torch.equal(DropPath(0.5).eval()(given), given)
    assert torch.equal(dropped(0, given), given)


def test_paths_are_dropped_as_often_in_half_precision() -> None:
    out = dropped(0.1, torch.ones(40_000, 1, 1, 1, dtype=torch.bfloat16))
    assert out.dtype == torch.bfloat16
    assert (out == 0).float().mean().item() == pytest.approx(0.1, abs=0.01)


def test_the_probability_may_change_while_training() -> None:
    path = DropPath(0.0)
    path.probability = 0.999
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert not path(images()).any()


def test_a_block_drops_its_layers_and_never_the_skip() -> None:
    block = Block([nn.Conv2d(4, 4, 1)], skip=True, drop_path=0.999)
    given = images()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        assert torch.equal(block(given), given)
    assert not torch.equal(block.eval()(given), given)


def test_dropping_paths_gives_no_weight_another_name() -> None:
    names = [
        list(Block([nn.Conv2d(4, 4, 1)], skip=True, drop_path=drop_path).state_dict())
        for drop_path in (0.0, 0.5)
    ]
    assert names == [["layers.0.weight", "layers.0.bias"]] * 2


@pytest.mark.parametrize("channels", [0, 5])
@pytest.mark.parametrize("hidden", [0, 3])
@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("activation_first", [True, False])
def test_a_head_gives_a_logit_a_class(
    channels: int, hidden: int, norm: str, activation_first: bool
) -> None:
    head = ClassifierHead(4, channels, 10, "relu", hidden, norm, activation_first)
    assert head(images()).shape == (3, 10)


def test_a_head_may_activate_before_it_pools() -> None:
    plain, activated = (
        ClassifierHead(4, 0, 2, "relu", activation_first=first) for first in (False, True)
    )
    activated.load_state_dict(plain.state_dict())
    given = images()
    assert not torch.allclose(activated(given), plain(given))
    torch.testing.assert_close(activated(given), plain(given.relu()))


def test_a_head_with_a_convolution_has_its_activation_behind_it() -> None:
    head = ClassifierHead(4, 5, 2, "relu", norm="group", activation_first=True)
    assert types(head.convolution) == [nn.Conv2d, GroupNorm, nn.ReLU]
