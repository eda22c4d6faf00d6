"""Whether an ONNX model is right is told apart from how its network multiplies rounding."""

import pytest
import torch
from torch import nn

from evonas.exporters.agreement import TOLERANCE, onnx_agreement, outputs_with_64_bits
from evonas.exporters.onnx import onnx_model
from evonas.models.layers import GlobalPool

SHAPE = (3, 8, 8)
IMAGES = torch.randn(2, *SHAPE, generator=torch.Generator().manual_seed(0))


def small_network(seed: int = 0, offset: float = 0.0) -> nn.Module:
    """The offset is added to all maps and taken away from them again."""
    torch.manual_seed(seed)
    first, last = nn.Conv2d(3, 32, 3), nn.Linear(32, 5, bias=False)
    with torch.no_grad():
        first.bias.add_(offset)  # type: ignore[union-attr]
        # With weights that sum to nothing the offset is exactly nothing, but its rounding is not.
        last.weight.copy_(torch.randint(-64, 65, last.weight.shape) / 64)
        last.weight[:, 0] -= last.weight.sum(1)
    return nn.Sequential(first, GlobalPool(), last).eval()


def test_a_model_agrees_with_the_network_that_it_was_made_of() -> None:
    network = small_network()
    agreement = onnx_agreement(network, onnx_model(network, SHAPE, 2), IMAGES)
    assert agreement.difference < 1e-5
    assert agreement.rounding is None


def test_a_network_that_multiplies_rounding_is_compared_with_64_bits() -> None:
    network = small_network(offset=1e5)
    agreement = onnx_agreement(network, onnx_model(network, SHAPE, 2), IMAGES)
    assert agreement.rounding is not None
    assert agreement.rounding > TOLERANCE
    assert agreement.difference < 1e-7


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_a_model_of_another_network_does_not_agree(offset: float) -> None:
    model = onnx_model(small_network(1, offset), SHAPE, 2)
    assert onnx_agreement(small_network(0, offset), model, IMAGES).difference > 0.01


def test_outputs_with_64_bits_are_those_of_torch() -> None:
    network = small_network()
    model = onnx_model(network, SHAPE, None)
    expected = network.double()(IMAGES.double()).detach()
    (found,) = outputs_with_64_bits(model, IMAGES.double().numpy())
    torch.testing.assert_close(torch.from_numpy(found), expected, atol=1e-12, rtol=0)
