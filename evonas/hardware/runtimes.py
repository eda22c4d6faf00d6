"""What runs a network while it is timed. A new runtime is a class or a line in `RUNTIMES`.

A runtime says what it lacks to measure with these settings, and loads a network as something
that tells how long a run of it takes.
"""

import os
import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from evonas.errors import SettingsError
from evonas.exporters.forms import FORMS, Form
from evonas.exporters.onnx import INPUT_NAME
from evonas.registry import pick
from evonas.settings import LatencySettings

Shape = tuple[int, int, int]  # (channels, height, width)
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
FLUSHED_CACHES = 2  # times the GPU's second-level cache is overwritten between runs
GPU_WARM_UP_RUNS = 20  # until clocks are up and kernels chosen


class Timed(ABC):
    """A loaded network."""

    @abstractmethod
    def run(self, times: int = 1) -> float:
        """Seconds of one inference, as the mean of several in a row."""


class Runtime(ABC):
    """One way to run a network.

    `precisions` are those that it really computes in. `form`: in which a network is written for
    it; None if it takes the torch network itself.
    """

    precisions: tuple[str, ...]
    form: ClassVar[Form | None] = None

    @abstractmethod
    def lack(self) -> str | None:
        """What this machine lacks for it and how to get that; None if it is there."""

    @abstractmethod
    def load(self, network: nn.Module, shape: Shape, settings: LatencySettings) -> Timed:
        """The network, ready to be timed on batches of `settings.batch` images."""

    def load_written(self, model: bytes, settings: LatencySettings) -> Timed:
        """The same from what a network was written as, in the runtime's form.

        Raises:
            SettingsError: This one does not.
        """
        raise SettingsError(
            f"latency.runtime={settings.runtime} times torch networks, and this is an ONNX model."
        )


@dataclass(frozen=True)
class OnnxRuntime(Runtime):
    """ONNX Runtime on one of its execution providers."""

    form = FORMS["onnx"]
    provider: str
    package: str
    precisions: tuple[str, ...] = ("fp32",)

    def lack(self) -> str | None:
        if self.provider in onnxruntime.get_available_providers():
            return None
        return (
            f"it needs ONNX Runtime's {self.provider}, and this installation has none. Install "
            f"{self.package}, on a machine with an NVIDIA GPU"
        )

    def load(self, network: nn.Module, shape: Shape, settings: LatencySettings) -> Timed:
        return self.load_written(self.form.write(network, shape, settings.batch), settings)

    def load_written(self, model: bytes, settings: LatencySettings) -> Timed:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = settings.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        if self.provider == CPU:
            session = onnxruntime.InferenceSession(model, options, [CPU])
            return _OnSession(session, settings)
        if settings.precision == "fp16" and self.provider == CUDA:
            model = _in_half_precision(model)
        session = onnxruntime.InferenceSession(model, options, self._providers(settings.precision))
        if self.provider not in session.get_providers():  # it falls back without a word
            raise SettingsError(
                f"latency.runtime={settings.runtime}: ONNX Runtime could not start "
                f"{self.provider}. Check that the libraries of {self.package} can be loaded."
            )
        return _OnGpuSession(session, settings)

    def _providers(self, precision: str) -> list[Any]:
        """This provider, then those that do what it cannot."""
        if self.provider == TENSORRT:
            return [(TENSORRT, {"trt_fp16_enable": str(precision == "fp16")}), CUDA]
        return [self.provider]


@dataclass(frozen=True)
class TorchRuntime(Runtime):
    """Torch itself: operation by operation, or compiled; maps lie channels last."""

    device: str
    is_compiled: bool = False
    precisions: tuple[str, ...] = ("fp32", "bf16")

    def lack(self) -> str | None:
        if self.device == "cuda" and not torch.cuda.is_available():
            return (
                "it needs an NVIDIA GPU and torch's CUDA build, and torch sees no GPU. Install "
                "torch from https://pytorch.org for your CUDA, where nvidia-smi lists a GPU"
            )
        if self.is_compiled and not (shutil.which("g++") or shutil.which("clang++")):
            return "it compiles C++, and neither g++ nor clang++ is on the path. Install one"
        return None

    def load(self, network: nn.Module, shape: Shape, settings: LatencySettings) -> Timed:
        placed = deepcopy(network).eval().to(self.device, DTYPES[settings.precision])
        placed = placed.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(settings.batch, *shape, generator=generator)
        images = images.to(self.device, DTYPES[settings.precision])
        images = images.contiguous(memory_format=torch.channels_last)
        call = torch.compile(placed, dynamic=False) if self.is_compiled else placed
        if self.device == "cuda":
            return _OnGpu(call, images)
        return _OnCpu(call, images, settings)


class _OnSession(Timed):
    """An ONNX Runtime session on the CPU."""

    def __init__(self, session: Any, settings: LatencySettings) -> None:
        self.session = session
        self.clock = clock_of(settings.threads)
        self.feed = {INPUT_NAME: _images(session, settings.batch)}

    def run(self, times: int = 1) -> float:
        start = self.clock()
        for _ in range(times):
            self.session.run(None, self.feed)
        return (self.clock() - start) / times


class _OnGpuSession(Timed):
    """An ONNX Runtime session on the GPU; images and outputs stay there."""

    def __init__(self, session: Any, settings: LatencySettings) -> None:
        self.session = session
        images = onnxruntime.OrtValue.ortvalue_from_numpy(
            _images(session, settings.batch), "cuda", 0
        )
        self.binding = session.io_binding()
        self.binding.bind_ortvalue_input(INPUT_NAME, images)
        for output in session.get_outputs():
            self.binding.bind_output(output.name, "cuda")
        self.run(GPU_WARM_UP_RUNS)

    def run(self, times: int = 1) -> float:
        start = time.perf_counter()
        for _ in range(times):
            self.session.run_with_iobinding(self.binding)  # returns when the GPU is done
        return (time.perf_counter() - start) / times


class _OnCpu(Timed):
    """A torch network on the CPU."""

    def __init__(
        self, network: Callable[..., Any], images: torch.Tensor, settings: LatencySettings
    ) -> None:
        self.network, self.images = network, images
        self.threads = settings.threads
        self.clock = clock_of(settings.threads)
        self.run()  # compiles what is to be compiled

    def run(self, times: int = 1) -> float:
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.inference_mode():
                start = self.clock()
                for _ in range(times):
                    self.network(self.images)
                return (self.clock() - start) / times
        finally:
            torch.set_num_threads(before)


class _OnGpu(Timed):
    """A torch network on the GPU, between two events; its cache is overwritten before each run."""

    def __init__(self, network: Callable[..., Any], images: torch.Tensor) -> None:
        self.network, self.images = network, images
        cache = torch.cuda.get_device_properties(images.device).L2_cache_size
        self.other = torch.empty(FLUSHED_CACHES * cache, dtype=torch.int8, device=images.device)
        self.run(GPU_WARM_UP_RUNS)

    def run(self, times: int = 1) -> float:
        event: Callable[..., Any] = torch.cuda.Event
        pairs = [(event(enable_timing=True), event(enable_timing=True)) for _ in range(times)]
        with torch.inference_mode():
            for start, end in pairs:
                self.other.zero_()
                start.record()
                self.network(self.images)
                end.record()
        torch.cuda.synchronize()
        milliseconds: float = sum(start.elapsed_time(end) for start, end in pairs)
        return milliseconds / times / 1000


def clock_of(threads: int) -> Callable[[], float]:
    """Seconds for which this thread ran, or of the wall if others work for it.

    One thread's own time leaves out what the system gave to other processes meanwhile: on an idle
    machine both are the same, on a busy one a network that takes milliseconds is interrupted in
    most of its runs.
    """
    return time.thread_time if threads == 1 else time.perf_counter


def _images(session: Any, batch: int) -> Any:
    """Images for a session; a model that takes any number of them gets `batch`."""
    given = session.get_inputs()[0]
    shape = [length if isinstance(length, int) else batch for length in given.shape]
    images = some_images(shape)
    return images.astype(np.float16) if given.type == "tensor(float16)" else images


def some_images(shape: Sequence[int]) -> NDArray[np.float32]:
    """What networks are timed on: normal numbers, the same ones each time."""
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def _in_half_precision(model: bytes) -> bytes:
    """The model with 16-bit weights and maps."""
    import onnx
    from onnxruntime.transformers.float16 import convert_float_to_float16

    halved = convert_float_to_float16(onnx.load_from_string(model))
    return bytes(halved.SerializeToString())


CPU, CUDA, TENSORRT = (f"{name}ExecutionProvider" for name in ("CPU", "CUDA", "Tensorrt"))

RUNTIMES: Mapping[str, Runtime] = {
    "onnxruntime": OnnxRuntime(CPU, "onnxruntime"),
    "torch": TorchRuntime("cpu"),
    "torch-inductor": TorchRuntime("cpu", is_compiled=True),
    "cuda": TorchRuntime("cuda", precisions=("fp32", "fp16", "bf16")),
    "onnxruntime-cuda": OnnxRuntime(CUDA, "onnxruntime-gpu", ("fp32", "fp16")),
    "tensorrt": OnnxRuntime(TENSORRT, "onnxruntime-gpu and tensorrt", ("fp32", "fp16")),
}


def check_runtime(settings: LatencySettings) -> Runtime:
    """The runtime that the settings name.

    Raises:
        SettingsError: It is not there, cannot compute in the precision asked for, or more threads
            are asked for than there are cores.
    """
    cores = os.cpu_count() or 1
    if settings.threads > cores:
        raise SettingsError(
            f"latency.threads={settings.threads}: this machine has {cores} cores, and more threads "
            f"only wait for each other. Write at most {cores}."
        )
    runtime = pick(RUNTIMES, settings.runtime, "runtime")
    if settings.precision not in runtime.precisions:
        able = [name for name, each in RUNTIMES.items() if settings.precision in each.precisions]
        raise SettingsError(
            f"latency.precision={settings.precision}: {settings.runtime} has no kernels for it "
            f"here and would time conversions. It has {', '.join(runtime.precisions)}; "
            f"{settings.precision} is for {', '.join(able)}."
        )
    lack = runtime.lack()
    if lack is not None:
        there = [name for name, each in RUNTIMES.items() if each.lack() is None]
        raise SettingsError(
            f"latency.runtime={settings.runtime}: {lack}. Here are: {', '.join(there)}."
        )
    return runtime
