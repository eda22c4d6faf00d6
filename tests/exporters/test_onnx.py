import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from conftest import in_onnxruntime
from torch import nn

from evonas.errors import BuildError
from evonas.exporters.onnx import onnx_model
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


def assert_same_logits(model: bytes, made: nn.Module, count: int) -> None:
    with torch.no_grad():
        expected = made.eval()(images(count))
    torch.testing.assert_close(in_onnxruntime(model, images(count)), expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("batch", [1, 3])
def test_a_model_of_so_many_images_gives_the_logits_of_the_network(seed: int, batch: int) -> None:
    made = network(seed)
    assert_same_logits(onnx_model(made, SHAPE, batch), made, batch)


@pytest.mark.parametrize("seed", range(4))
def test_a_kept_model_takes_any_number_of_images(seed: int) -> None:
    made = network(seed)
    model = onnx_model(made, SHAPE, batch=None)
    for count in (1, 2, 23, 40):
        assert_same_logits(model, made, count)


def test_models_are_whole_and_say_how_many_images_they_take() -> None:
    for batch in (1, 3, None):
        model = onnx_model(network(0), SHAPE, batch)
        onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
        session = onnxruntime.InferenceSession(model)
        for end, shape in ((session.get_inputs(), SHAPE), (session.get_outputs(), (10,))):
            assert tuple(end[0].shape) == (batch or "batch", *shape)


def test_exporting_keeps_the_weights() -> None:
    made = network(2)
    before = {key: value.clone() for key, value in made.state_dict().items()}
    onnx_model(made, SHAPE)
    after = made.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


class Spectrum(nn.Module):
    """Asks for something that only torch's newer exporter can say."""

    def forward(self, given: torch.Tensor) -> torch.Tensor:
        return torch.fft.rfft(given[:, 0, 0, :8]).real


@pytest.mark.parametrize("batch", [2, None])
def test_what_evonas_cannot_write_is_left_to_torch(batch: int | None) -> None:
    model = onnx_model(Spectrum(), SHAPE, batch)
    for count in (batch,) if batch else (1, 5):
        torch.testing.assert_close(in_onnxruntime(model, images(count)), Spectrum()(images(count)))


def test_weights_that_no_onnx_file_holds_are_refused_before_they_are_written() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 800_000, device="meta"))
    with pytest.raises(BuildError, match=r"2\.3 GB .* constraints\.parameters\.max"):
        onnx_model(network, SHAPE)
