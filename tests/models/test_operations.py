import ast
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from conftest import in_onnxruntime
from torch import nn

from evonas.exporters.onnx import onnx_model
from evonas.exporters.source import network_source
from evonas.models import Network, initialise
from evonas.models.activations import ACTIVATIONS
from evonas.models.network import build_layer
from evonas.models.norms import NORMS
from evonas.models.operations.asymmetric_conv import AsymmetricConv
from evonas.models.operations.pooling import Pooling
from evonas.models.operations.separable_conv import SeparableConv
from evonas.networks.cells.operations import OPERATIONS
from evonas.networks.plan import Layer, Plan, in_a_row

operations = pytest.mark.parametrize("name", OPERATIONS)
norms = pytest.mark.parametrize("norm", NORMS)
out_channels = pytest.mark.parametrize("out_channels", [8, 12], ids=["equal", "more"])
strides = pytest.mark.parametrize("stride", [1, 2])
CLASSES = {module: name for name, (module, _) in reversed(OPERATIONS.items())}
one_of_each_class = pytest.mark.parametrize("name", CLASSES.values())


def layer(name: str, **arguments: Any) -> Layer:
    """An operation from 8 to 8 channels at stride 1, with batch norm and ReLU."""
    module, own = OPERATIONS[name]
    default = {"in_channels": 8, "out_channels": 8, "stride": 1}
    default |= {"activation": "relu", "norm": "batch"}
    return Layer(module, {**default, **own, **arguments})


def operation(name: str, **arguments: Any) -> nn.Module:
    """The same, built, with weights of seed 0."""
    made = build_layer(layer(name, **arguments))
    initialise(made, seed=0)
    return made


def images(side: int = 7, channels: int = 8, count: int = 3) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, channels, side, side, generator=generator)


@operations
@pytest.mark.parametrize("stride", [1, 2, 3])
@out_channels
def test_an_operation_gives_its_channels_and_the_size_of_its_stride(
    name: str, stride: int, out_channels: int
) -> None:
    made = operation(name, stride=stride, out_channels=out_channels)
    for side in (1, 2, 7, 8, 9):
        size = -(-side // stride)
        assert made(images(side)).shape == (3, out_channels, size, size)
    assert made(images(8)[:, :, :5]).shape == (3, out_channels, -(-5 // stride), -(-8 // stride))


@one_of_each_class
@pytest.mark.parametrize(("in_channels", "out_channels"), [(1, 1), (1, 3), (3, 1)])
@norms
def test_an_operation_takes_few_channels(
    name: str, in_channels: int, out_channels: int, norm: str
) -> None:
    made = operation(name, in_channels=in_channels, out_channels=out_channels, norm=norm, stride=2)
    assert made(images(channels=in_channels)).shape == (3, out_channels, 4, 4)


def assert_gradient_reaches_every_weight(made: nn.Module, given: torch.Tensor) -> None:
    out = made(given)
    if not list(made.parameters()):
        return
    # Not the sum: a norm keeps it from changing.
    (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(2))).sum().backward()
    for key, weights in made.named_parameters():
        assert weights.grad is not None, key
        assert weights.grad.any(), key


@operations
@out_channels
def test_the_gradient_reaches_every_weight(name: str, out_channels: int) -> None:
    made = operation(name, stride=2, out_channels=out_channels)
    assert_gradient_reaches_every_weight(made, images())


@one_of_each_class
@pytest.mark.parametrize("activation", ACTIVATIONS)
@norms
def test_the_gradient_passes_every_activation_and_norm(
    name: str, activation: str, norm: str
) -> None:
    made = operation(name, out_channels=12, activation=activation, norm=norm)
    assert_gradient_reaches_every_weight(made, images())


@operations
def test_an_operation_leaves_the_state_alone_for_others(name: str) -> None:
    given = images()
    operation(name, stride=2, out_channels=12)(given)
    assert torch.equal(given, images())


def assert_same_in_onnxruntime(model: bytes, made: nn.Module, given: torch.Tensor) -> None:
    with torch.no_grad():
        wanted = made.eval()(given)
    torch.testing.assert_close(in_onnxruntime(model, given), wanted, atol=1e-4, rtol=1e-4)


def seasoned(name: str, given: torch.Tensor, **arguments: Any) -> nn.Module:
    """The operation with norms that have seen images."""
    made = operation(name, **arguments)
    with torch.no_grad():
        made(2 * given + 1)
    return made


@operations
@pytest.mark.parametrize(
    ("stride", "side", "out_channels"), [(1, 7, 8), (1, 8, 12), (2, 7, 12), (2, 8, 8)]
)
def test_an_operation_is_the_same_in_onnxruntime(
    name: str, stride: int, side: int, out_channels: int
) -> None:
    given = images(side)
    made = seasoned(name, given, stride=stride, out_channels=out_channels)
    assert_same_in_onnxruntime(onnx_model(made, (8, side, side), batch=3), made, given)


@one_of_each_class
@norms
def test_every_norm_is_the_same_in_onnxruntime(name: str, norm: str) -> None:
    made = seasoned(name, images(), norm=norm, out_channels=12)
    assert_same_in_onnxruntime(onnx_model(made, (8, 7, 7), batch=3), made, images())


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_the_same_in_onnxruntime(activation: str) -> None:
    made = seasoned("conv_1x3_3x1", images(), activation=activation)
    assert_same_in_onnxruntime(onnx_model(made, (8, 7, 7), batch=3), made, images())


@operations
def test_the_kept_model_takes_any_number_of_images(name: str) -> None:
    made = seasoned(name, images(), stride=2, out_channels=12)
    model = onnx_model(made, (8, 7, 7), batch=None)
    for count in (1, 2, 5):
        assert_same_in_onnxruntime(model, made, images(count=count))


def test_the_source_of_every_operation_rebuilds_it() -> None:
    head = {"in_channels": 8, "channels": 0, "classes": 4, "activation": "relu"}
    layers = tuple(layer(name) for name in OPERATIONS if name != "none")  # zeros tell nothing
    parts = (
        ("operations", layers),
        ("none", (layer("none"),)),
        ("head", (Layer("ClassifierHead", head),)),
    )
    plan = Plan(in_a_row(parts), (8, 7, 7), ("head",))
    source = network_source(plan, "A title")
    names: dict[str, Any] = {"__file__": "model.py", "__name__": "model"}
    exec(compile(source, "model.py", "exec"), names)
    network, rebuilt = Network(plan).eval(), names["Network"]().eval()
    rebuilt.load_state_dict(network.state_dict())
    assert torch.equal(rebuilt(images()), network(images()))
    assert torch.equal(rebuilt.operations(images()), network.get_submodule("operations")(images()))
    body = ast.parse(source).body
    written = [node.name for node in body if isinstance(node, ast.ClassDef)]
    assert len(written) == len(set(written))
    packages = {str(node.module).split(".")[0] for node in body if isinstance(node, ast.ImportFrom)}
    assert packages <= {"torch", "safetensors", "pathlib", "collections", "typing"}


def kinds(made: nn.Module) -> list[str]:
    """In order, a letter each: convolution, norm, activation, pooling."""
    letters = {nn.Conv2d: "c", nn.BatchNorm2d: "n", nn.ReLU: "a", nn.MaxPool2d: "p"}
    return [
        letter for m in made.modules() for kind, letter in letters.items() if isinstance(m, kind)
    ]


def convolutions(made: nn.Module) -> Iterator[nn.Conv2d]:
    return (module for module in made.modules() if isinstance(module, nn.Conv2d))


def test_none_gives_zeros_that_gradients_pass_through() -> None:
    given = images().requires_grad_()
    out = operation("none", out_channels=12, stride=2)(given)
    assert not out.any()
    out.sum().backward()
    assert given.grad is not None
    assert not given.grad.any()


def test_a_skip_is_the_state_itself_where_nothing_changes() -> None:
    given = images()
    assert operation("skip_connect")(given) is given
    for changes in ({"stride": 2}, {"out_channels": 12}):
        assert kinds(operation("skip_connect", **changes)) == ["a", "c", "n"]


@pytest.mark.parametrize(
    ("name", "same", "more"),
    [
        ("conv_3x3", "acn", "acn"),
        ("conv_1x7_7x1", "acn" * 4, "acn" * 4),
        ("dw_conv_3x3", "acn", "acncn"),
        ("sep_conv_3x3", "accn" * 2, "accn" * 2),
        ("sep_conv_5x5_single", "accn", "accn"),
        ("dil_conv_5x5", "accn", "accn"),
        ("max_pool_3x3", "p", "pcn"),
    ],
)
def test_what_an_operation_is_made_of(name: str, same: str, more: str) -> None:
    assert "".join(kinds(operation(name))) == same
    assert "".join(kinds(operation(name, out_channels=12))) == more


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("conv_7x7", [(12, 8, 7, 7)]),
        ("conv_1x3_3x1", [(4, 8, 1, 1), (4, 4, 1, 3), (4, 4, 3, 1), (12, 4, 1, 1)]),
        ("conv_1x7_7x1", [(3, 8, 1, 1), (3, 3, 1, 7), (3, 3, 7, 1), (12, 3, 1, 1)]),
        ("dw_conv_5x5", [(8, 1, 5, 5), (12, 8, 1, 1)]),
        ("sep_conv_5x5", [(8, 1, 5, 5), (12, 8, 1, 1), (12, 1, 5, 5), (12, 12, 1, 1)]),
        ("sep_conv_7x7_single", [(8, 1, 7, 7), (12, 8, 1, 1)]),
        ("dil_conv_3x3", [(8, 1, 3, 3), (12, 8, 1, 1)]),
        ("avg_pool_5x5", [(12, 8, 1, 1)]),
    ],
)
def test_the_weights_of_an_operation(name: str, shapes: list[tuple[int, ...]]) -> None:
    made = operation(name, out_channels=12)
    assert [tuple(layer.weight.shape) for layer in convolutions(made)] == shapes


def test_a_bottleneck_without_channels_is_left_out() -> None:
    made = AsymmetricConv(8, 3, 2, "relu", "batch", kernel=7, bottleneck=1 / 4)
    shapes = [tuple(layer.weight.shape) for layer in convolutions(made)]
    assert shapes == [(3, 8, 1, 7), (3, 3, 7, 1)]
    assert [layer.stride for layer in convolutions(made)] == [(1, 2), (2, 1)]
    assert "".join(kinds(made)) == "acn" * 2


@pytest.mark.parametrize("name", ["dil_conv_3x3", "dil_conv_5x5"])
def test_dilation_is_of_the_depthwise_convolution(name: str) -> None:
    depthwise, pointwise = convolutions(operation(name))
    assert (depthwise.dilation, pointwise.dilation) == ((2, 2), (1, 1))


def separable(**arguments: Any) -> SeparableConv:
    return SeparableConv(8, 12, 2, "relu", kernel=3, **{"norm": "batch", **arguments})


def test_a_separable_convolution_may_begin_with_its_pointwise_half() -> None:
    made = separable(order="pointwise_first")
    shapes = [tuple(layer.weight.shape) for layer in convolutions(made)]
    assert shapes == [(12, 8, 1, 1), (12, 1, 3, 3), (12, 12, 1, 1), (12, 1, 3, 3)]
    assert [layer.stride[0] for layer in convolutions(made)] == [1, 2, 1, 1]
    assert made(images()).shape == (3, 12, 4, 4)


@pytest.mark.parametrize("order", ["depthwise_first", "pointwise_first"])
@norms
def test_a_middle_activation_comes_with_its_norm(order: str, norm: str) -> None:
    made = separable(order=order, norm=norm, middle_activation=True, repeats=3)
    if norm == "batch":
        assert "".join(kinds(made)) == "acnacn" * 3
    assert all((layer.bias is not None) == (norm == "none") for layer in convolutions(made))
    assert_gradient_reaches_every_weight(made, images())


@pytest.mark.parametrize("order", ["depthwise_first", "pointwise_first"])
def test_without_norm_only_the_last_of_two_convolutions_in_a_row_has_a_bias(order: str) -> None:
    made = separable(order=order, norm="none")
    assert [layer.bias is not None for layer in convolutions(made)] == [False, True] * 2


@pytest.mark.parametrize("name", [name for name in OPERATIONS if "pool" in name])
@strides
@pytest.mark.parametrize("side", [1, 2, 3, 7, 8])
def test_pooling_of_ones_is_ones_up_to_the_border(name: str, stride: int, side: int) -> None:
    for value in (1.0, -1.0):
        given = torch.full((1, 8, side, side), value)
        out = operation(name, stride=stride)(given)
        wanted = abs(value) if name.startswith("l2") else value
        assert torch.equal(out, torch.full_like(out, wanted))


def windows(given: torch.Tensor, kernel: int, stride: int) -> Iterator[tuple[int, int, Any]]:
    """Row and column of the output, and the pixels of the map that it is made from."""
    side = given.shape[-1]
    before = kernel // 2 if kernel % 2 else 0
    starts = [(index, index * stride - before) for index in range(-(-side // stride))]
    for row, top in starts:
        for column, left in starts:
            rows = slice(max(0, top), min(side, top + kernel))
            columns = slice(max(0, left), min(side, left + kernel))
            yield row, column, given[:, :, rows, columns].flatten(2)


@pytest.mark.parametrize("kind", ["max", "average", "l2"])
@pytest.mark.parametrize("kernel", [2, 3, 5, 7])
@strides
@pytest.mark.parametrize("side", [1, 4, 5])
def test_pooling_looks_at_the_pixels_in_its_window(
    kind: str, kernel: int, stride: int, side: int
) -> None:
    given = images(side) - 3  # so that a zero that counted would be the maximum
    out = Pooling(8, 8, stride, "relu", "batch", kind=kind, kernel=kernel)(given)
    said = {
        "max": lambda pixels: pixels.amax(2),
        "average": lambda pixels: pixels.mean(2),
        "l2": lambda pixels: pixels.square().mean(2).sqrt(),
    }
    for row, column, pixels in windows(given, kernel, stride):
        wanted = said[kind](pixels)
        torch.testing.assert_close(out[:, :, row, column], wanted)


def test_a_seven_by_one_convolution_sees_what_a_seven_by_seven_one_sees() -> None:
    made = operation("conv_1x7_7x1", activation="relu", norm="none").eval()
    with torch.no_grad():
        for weights in made.parameters():
            weights.fill_(1 if weights.ndim == 4 else 0)
        dot = torch.zeros(1, 8, 11, 11)
        dot[..., 5, 5] = 1
        seen = made(dot)[0, 0] > 0
    assert seen[2:9, 2:9].all()
    assert seen.sum() == 49
