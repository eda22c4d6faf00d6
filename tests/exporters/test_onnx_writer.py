import onnx
import torch
from torch import nn

from evonas.exporters.onnx_graph import onnx_graph
from evonas.exporters.onnx_network import OnnxNetwork

SHAPE = (2, 4, 4)


class Beside(nn.Module):
    """Gives something that no image changes beside what images do."""

    outputs = ("maps", "places")

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kept", torch.arange(3.0).reshape(1, 3))

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return images.sigmoid() + 2.0 - 2.0, torch.as_tensor(self.kept)


def test_an_output_may_be_a_constant_and_then_is_as_long_for_any_number_of_images() -> None:
    model = onnx.load_from_string(onnx_graph(Beside(), SHAPE, None))
    onnx.checker.check_model(model, full_check=True)
    lengths = [output.type.tensor_type.shape.dim[0] for output in model.graph.output]
    assert (lengths[0].dim_param, lengths[1].dim_value) == ("batch", 1)
    images = torch.zeros(3, *SHAPE)
    found = OnnxNetwork(model.SerializeToString())(images)
    torch.testing.assert_close(found, Beside()(images))


def test_equal_numbers_are_in_the_model_once() -> None:
    model = onnx.load_from_string(onnx_graph(Beside(), SHAPE, 1))
    assert sorted(each.name for each in model.graph.initializer) == ["k0", "kept"]
