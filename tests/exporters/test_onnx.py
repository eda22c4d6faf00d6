import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from evonas.errors import BuildError
from evonas.exporters.onnx import INPUT_NAME, OUTPUT_NAME, dynamo_onnx, quick_onnx
from evonas.models import build
from evonas.space import load_space

SHAPE = (3, 16, 16)


def network(seed: int) -> nn.Module:
    """A random design of nano, with norms that have seen images."""
    space = load_space("nano")
    made = build(space.decode(space.sample(np.random.default_rng(seed))), space.scales["proxy"], 0)
    made(images(8) + 1)
    return made


def images(count: int) -> torch.Tensor:
    return torch.randn(count, *SHAPE, generator=torch.Generator().manual_seed(0))


def run(model: bytes, given: torch.Tensor) -> torch.Tensor:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    assert [tensor.name for tensor in session.get_outputs()] == [OUTPUT_NAME]
    return torch.from_numpy(session.run(None, {INPUT_NAME: given.numpy()})[0])


def assert_same_logits(model: bytes, made: nn.Module, count: int) -> None:
    with torch.no_grad():
        expected = made.eval()(images(count))
    torch.testing.assert_close(run(model, images(count)), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("batch", [1, 3])
def test_the_quick_model_gives_the_logits_of_the_network(seed: int, batch: int) -> None:
    made = network(seed)
    assert_same_logits(quick_onnx(made, SHAPE, batch), made, batch)


@pytest.fixture(scope="module")
def kept_model() -> bytes:
    """Of network 0, for any number of images."""
    return dynamo_onnx(network(0), SHAPE)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_the_kept_model_agrees_with_the_network_and_with_the_quick_model(
    kept_model: bytes, count: int
) -> None:
    made = network(0)
    assert_same_logits(kept_model, made, count)
    quick = run(quick_onnx(made, SHAPE, count), images(count))
    torch.testing.assert_close(run(kept_model, images(count)), quick, atol=1e-4, rtol=1e-4)


def test_the_kept_model_may_have_a_fixed_number_of_images() -> None:
    model = dynamo_onnx(network(3), SHAPE, batch=1)
    assert_same_logits(model, network(3), 1)
    assert onnxruntime.InferenceSession(model).get_inputs()[0].shape[0] == 1


def test_only_the_kept_model_takes_any_number_of_images(kept_model: bytes) -> None:
    lengths = []
    for model in (quick_onnx(network(0), SHAPE), kept_model):
        onnx.checker.check_model(onnx.load_from_string(model))
        (given,) = onnxruntime.InferenceSession(model).get_inputs()
        assert given.name == INPUT_NAME
        assert tuple(given.shape[1:]) == SHAPE
        lengths.append(given.shape[0])
    assert lengths[0] == 1
    assert isinstance(lengths[1], str)


def test_exporting_keeps_the_weights() -> None:
    made = network(2)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    quick_onnx(made, SHAPE)
    after = made.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


class Spectrum(nn.Module):
    """Asks for something that only the newer exporter can say."""

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(given[:, 0, 0, :8]).real


def test_what_the_quick_exporter_cannot_say_is_left_to_the_other() -> None:
    given = images(2)
    torch.testing.assert_close(
        run(quick_onnx(Spectrum(), SHAPE, batch=2), given), Spectrum()(given)
    )


def test_weights_that_no_onnx_file_holds_are_refused_before_they_are_written() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 800_000, device="meta"))
    with pytest.raises(BuildError, match=r"2\.3 GB .* constraints\.parameters\.max"):
        quick_onnx(network, SHAPE)
