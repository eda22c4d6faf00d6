"""What a network does to a batch, operation by operation, noted down without doing the work.

Counts, receptive fields, memory, foretold latency and ONNX files are all read from a trace.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from evonas.networks.windows import places

Arguments = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Step:
    """One operation of ATen: its name, its arguments by their names there, a result of it.

    `function` is what does it; `place` is that of the result among several.
    """

    operation: str
    arguments: Arguments
    result: torch.Tensor
    is_view: bool
    function: Callable[..., Any]
    place: int = 0

    @property
    def reads(self) -> list[torch.Tensor]:
        """The tensors among the arguments."""
        return _tensors(self.arguments)

    @property
    def macs(self) -> int:
        """Multiply-adds of a convolution or a linear layer; 0 of all others."""
        if self.operation == "convolution":
            return int(self.arguments["weight"][0].numel() * self.result.numel())
        if self.operation in ("addmm", "mm"):
            return int(self.arguments["mat2"].shape[0] * self.result.numel())
        return 0


def _tensors(arguments: Arguments) -> list[torch.Tensor]:
    values = arguments.values()
    lists = [value if isinstance(value, list | tuple) else [value] for value in values]
    return [item for items in lists for item in items if isinstance(item, torch.Tensor)]


@dataclass(frozen=True, eq=False)
class Trace:
    """A forward pass: what went in, the steps in order, what came out.

    What comes of the images has the right shapes and no meaningful values; constants, and what
    comes of them alone, have their values.
    """

    given: tuple[torch.Tensor, ...]
    steps: tuple[Step, ...]
    outputs: tuple[torch.Tensor, ...]

    @property
    def macs(self) -> int:
        """Multiply-adds of all steps."""
        return sum(step.macs for step in self.steps)


def trace(network: nn.Module, *shapes: tuple[int, ...], device: str = "cpu") -> Trace:
    """The trace of a network in evaluation mode; takes milliseconds, also for large batches.

    Args:
        shapes: Of each input: (batch, channels, height, width).
        device: Of the network; may be meta.
    """
    given = tuple(torch.empty(shape, device=device) for shape in shapes)
    with torch.no_grad(), _Recorder(given) as recorder:
        outputs = network.eval()(*given)
    single = isinstance(outputs, torch.Tensor)
    return Trace(given, tuple(recorder.steps), (outputs,) if single else tuple(outputs))


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, given: tuple[torch.Tensor, ...]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.steps: list[Step] = []
        self._of_images = {id(each) for each in given}

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        schema = function._schema
        arguments = {each.name: each.default_value for each in schema.arguments}
        arguments |= dict(zip(arguments, args, strict=False)) | (kwargs or {})
        name = schema.name.removeprefix("aten::")
        is_of_images = any(id(each) in self._of_images for each in _tensors(arguments))
        imagined = SHAPES.get(name) if is_of_images else None
        if imagined is None or arguments.get("transposed"):
            result = function(*args, **(kwargs or {}))
            first = result[0] if isinstance(result, tuple | list) else result
        else:
            first = imagined(arguments)
            result = first if len(schema.returns) == 1 else (first,) * len(schema.returns)
        # Of the images a norm's statistics are results too, which nothing reads.
        results = [first] if is_of_images or first is result else result
        for place, each in enumerate(results):
            if isinstance(each, torch.Tensor):
                step = Step(name, arguments, each, function.is_view, function, place)
                self.steps.append(step)
        if is_of_images:
            self._of_images.add(id(first))
        return result


def _same(arguments: Arguments) -> torch.Tensor:
    given: torch.Tensor = next(v for v in arguments.values() if isinstance(v, torch.Tensor))
    return given.detach()  # another tensor over the same memory, which nobody reads


def _broadcast(arguments: Arguments) -> torch.Tensor:
    given, other = arguments["self"], arguments["other"]
    if not isinstance(other, torch.Tensor):
        return _same(arguments)
    shape = torch.broadcast_shapes(given.shape, other.shape)  # type: ignore[no-untyped-call]
    return _empty(given, shape)


def _convolution(arguments: Arguments) -> torch.Tensor:
    given, weight = arguments["input"], arguments["weight"]
    windows = zip(
        given.shape[2:],
        weight.shape[2:],
        arguments["stride"],
        arguments["padding"],
        arguments["dilation"],
        strict=True,
    )
    sides = [places(*window) for window in windows]
    return _empty(given, (len(given), len(weight), *sides))


def _linear(arguments: Arguments) -> torch.Tensor:
    given = arguments["mat1"]
    return _empty(given, (len(given), arguments["mat2"].shape[1]))


def _cat(arguments: Arguments) -> torch.Tensor:
    tensors, axis = arguments["tensors"], arguments["dim"]
    shape = list(tensors[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    return _empty(tensors[0], shape)


def _mean(arguments: Arguments) -> torch.Tensor:
    given, axes = arguments["self"], arguments["dim"]
    axes = range(given.ndim) if axes is None else [axis % given.ndim for axis in axes]
    kept = arguments["keepdim"]
    lengths = [1 if axis in axes else length for axis, length in enumerate(given.shape)]
    left = [length for axis, length in enumerate(lengths) if kept or axis not in axes]
    return _empty(given, left)


def _upsampled(arguments: Arguments) -> torch.Tensor:
    given = arguments["self"]
    return _empty(given, (*given.shape[:2], *arguments["output_size"]))


def _empty(like: torch.Tensor, shape: Any) -> torch.Tensor:
    return like.new_empty(tuple(shape))  # memory that is never touched is never taken


# Operations of one result that need not be run to know its shape; all others are run.
POINTWISE = (
    "relu",
    "hardtanh",
    "leaky_relu",
    "_prelu_kernel",
    "elu",
    "mish",
    "silu",
    "hardswish",
    "sigmoid",
    "hardsigmoid",
)
NORMS = ("native_batch_norm", "_native_batch_norm_legit_no_training", "native_group_norm")
BINARY = ("add", "mul", "div", "sub")
SHAPES: Mapping[str, Callable[[Arguments], torch.Tensor]] = {
    **dict.fromkeys((*POINTWISE, *NORMS), _same),
    **dict.fromkeys(BINARY, _broadcast),
    "convolution": _convolution,
    "addmm": _linear,
    "cat": _cat,
    "mean": _mean,
    "upsample_nearest2d": _upsampled,
}
