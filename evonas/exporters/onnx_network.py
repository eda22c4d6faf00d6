"""An ONNX model as a network: what it gives is what it gives where it is deployed."""

import onnxruntime
import torch
from torch import nn

from evonas.exporters.onnx_graph import INPUT_NAME

CPU = "CPUExecutionProvider"


class OnnxNetwork(nn.Module):
    """Runs a model in ONNX Runtime, on one thread of the processor.

    So sums are the same in every process, and int8 kernels are those that a user has.
    """

    def __init__(self, model: bytes) -> None:
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(model, options, [CPU])

    def forward(self, images: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        """(batch, channels, height, width) to the model's output; to a tuple if it has several."""
        given = {INPUT_NAME: images.cpu().contiguous().numpy()}
        outputs = tuple(torch.from_numpy(output) for output in self._session.run(None, given))
        return outputs[0] if len(outputs) == 1 else outputs
