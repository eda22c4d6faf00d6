"""One step's forward and backward pass: as it is, compiled, or recorded as a CUDA graph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from evonas.errors import SettingsError
from evonas.settings import TrainingSettings
from evonas.tasks.task import Loss, outputs_of
from evonas.training.accumulation import Accumulation
from evonas.training.attachment import Attachment
from evonas.training.auxiliary import Auxiliary
from evonas.training.precision import autocast

WARM_UP_STEPS = 3  # before a recording, as torch's notes on CUDA graphs ask for

# (images, targets) to the loss; gradients lie in the parameters afterwards.
Pass = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def make_pass(
    network: nn.Module,
    loss_of: Loss,
    recipe: TrainingSettings,
    device: torch.device,
    bfloat16: bool,
    auxiliary: Auxiliary | None = None,
    attachments: Sequence[Attachment] = (),
    accumulation: Accumulation | None = None,
) -> Pass:
    """Forward and backward as the recipe has it; `cuda_graphs` has no effect without CUDA.

    Args:
        loss_of: What the training makes small.
        auxiliary: Listens to the network, and adds to the loss.
        attachments: Change the loss, in their order.
        accumulation: Cuts batches into mini-batches; without, a batch is one.
    """
    forward = _compiled(network) if recipe.compile else network
    modules = [network, auxiliary.heads] if auxiliary else [network]
    modules += [module for attachment in attachments for module in attachment.modules]
    tensors = [tensor for module in modules for tensor in module.parameters()]
    parameters = [tensor for tensor in tensors if tensor.requires_grad]
    whole = accumulation or Accumulation()

    def step(images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        for parameter in parameters:
            parameter.grad = None
        losses = [mini_batch(*part) for part in whole.parts(images, targets)]
        return sum(losses[1:], losses[0])

    def mini_batch(share: float, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        with autocast(device, bfloat16):
            outputs = outputs_of(forward(images))
        outputs = tuple(output.float() for output in outputs)
        loss = loss_of(outputs, targets)
        if auxiliary is not None:
            loss = loss + auxiliary.loss(targets, loss_of)
        for attachment in attachments:
            loss = attachment.loss(images, outputs, loss)
        loss = share * loss
        loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach()

    if recipe.cuda_graphs and device.type == "cuda":
        return _Recorded(step, nn.ModuleList(modules), device)
    return step


def _compiled(network: nn.Module) -> Callable[[torch.Tensor], torch.Tensor]:
    torch.compiler.reset()  # what was compiled before takes no notice of other hooks
    compiled = torch.compile(network)

    def forward(images: torch.Tensor) -> torch.Tensor:
        try:
            return compiled(images)  # type: ignore[no-any-return]
        except torch._dynamo.exc.TorchDynamoException as problem:
            reason = str(problem).strip().splitlines()[0]
            raise SettingsError(
                f"training.compile: torch cannot compile this network here: {reason} "
                "Write training.compile=false."
            ) from None

    return forward


@dataclass(frozen=True)
class _Recording:
    graph: "torch.cuda.CUDAGraph"
    images: torch.Tensor
    targets: torch.Tensor
    loss: torch.Tensor
    gradients: list[tuple[nn.Parameter, torch.Tensor | None]]

    def replay(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        self.images.copy_(images, non_blocking=True)
        self.targets.copy_(targets, non_blocking=True)
        self.graph.replay()
        for parameter, gradient in self.gradients:
            parameter.grad = gradient
        return self.loss


class _Recorded:
    """A pass that is recorded once for each shape of a batch, and replayed from then on.

    Weights, buffers and torch's generators are after a recording as they were before.
    """

    def __init__(self, step: Pass, network: nn.Module, device: torch.device) -> None:
        self.step = step
        self.network = network
        self.device = device
        self.recordings: dict[tuple[torch.Size, torch.Size], _Recording] = {}

    def __call__(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        key = (images.shape, targets.shape)
        if key not in self.recordings:
            with torch.random.fork_rng([self.device]):
                self.recordings[key] = self._record(images.clone(), targets.clone())
        return self.recordings[key].replay(images, targets)

    def _record(self, images: torch.Tensor, targets: torch.Tensor) -> _Recording:
        before = [buffer.clone() for buffer in self.network.buffers()]
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP_STEPS):
                self.step(images, targets)
        torch.cuda.current_stream(self.device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = self.step(images, targets)
        for buffer, value in zip(self.network.buffers(), before, strict=True):
            buffer.copy_(value)
        gradients = [(tensor, tensor.grad) for tensor in self.network.parameters()]
        return _Recording(graph, images, targets, loss, gradients)
