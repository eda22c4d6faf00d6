"""What a compression makes of a model, form by form: score, latency, size and seconds."""

import copy
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from evonas.compression.compress import compressed, made_after
from evonas.compression.step import Compressed, StepKit
from evonas.data.dataset import Split
from evonas.errors import ExportError, TrialFailure
from evonas.exporters.file_names import ONNX, ONNX_INT8, PACKED
from evonas.exporters.forms import FORMS, Shape
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_network import OnnxNetwork
from evonas.hardware.device import device_description
from evonas.hardware.latency import Clock, Latency, reference_ms
from evonas.models import Network, count, deployed, learning
from evonas.reports.flip_test import flip_mark
from evonas.reports.format import duration, number
from evonas.settings import CompressionSettings, LatencySettings
from evonas.tasks import task_of
from evonas.training import evaluate
from evonas.training.rates import peak_rate

CPU = torch.device("cpu")
FLOAT = "fp32"  # the form that a training leaves


@dataclass(frozen=True)
class Form:
    """A model as one step left it.

    `contents` are files that it is shipped as, by name, of which `file` is the one that it is known
    by. `deployed` gives what that file gives; `scored` gives, on the `device`, what scores are
    taken of, which may be more. `scores` are those of the ladder's images.
    """

    name: str
    compressed: Compressed
    file: str
    contents: Mapping[str, bytes]
    deployed: nn.Module
    scored: nn.Module
    device: torch.device
    scores: Mapping[str, float]
    latency: Latency
    seconds: float | None

    @property
    def network(self) -> nn.Module:
        """The network of 32 bits."""
        return self.compressed.network

    @property
    def size_mib(self) -> float:
        """MiB of its file."""
        return len(self.contents[self.file]) / 2**20

    def row(self, main: str) -> dict[str, Any]:
        """Plain values of what there is to compare."""
        assert isinstance(self.network, Network), "a step makes the network of a section"
        counted = count(self.network.plan.as_deployed())
        return {
            "form": self.name,
            "file": self.file,
            main: self.scores[main],
            "latency_ms": self.latency.ms,
            "latency_spread": self.latency.spread,
            "size_mib": self.size_mib,
            "parameters": counted.parameters,
            "macs": counted.macs,
            "seconds": self.seconds,
        }


@dataclass
class Ladder:
    """The forms of a model side by side, compared on the same images and by the same clock.

    `part`: what the images are called in the split, `test` or `validation`.
    """

    kit: StepKit
    part: str
    images: Split
    latency_settings: LatencySettings
    forms: list[Form] = field(default_factory=list)

    def climb(
        self,
        network: nn.Module,
        seconds: float | None = None,
        tell: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Takes all steps, and judges what each of them leaves.

        Args:
            network: Trained. It may be another one afterwards.
            seconds: Of the training, where that is known.
            tell: Gets a line on each form, if there are several.

        Raises:
            BuildError: A step does not fit this network.
            ExportError: A fine-tuning diverged.
        """
        since = time.monotonic()

        def judge(name: str, made: Compressed, seconds: float | None) -> None:
            self.forms.append(self._judged(name, made, seconds))
            if made_after(self.kit.settings):
                tell(self._told(self.last))

        def step_is_done(step: str, made: Compressed) -> None:
            nonlocal since
            judge(form_name(step, self.kit.settings), made, time.monotonic() - since)
            since = time.monotonic()

        judge(FLOAT, Compressed(self.kit.section, network), seconds)
        since = time.monotonic()
        try:
            compressed(network, self.kit, step_is_done)
        except TrialFailure as failure:
            raise ExportError(
                f"A fine-tuning of the compression diverged: {failure}. Lower "
                "compression.pruning.epochs and compression.quantisation.epochs, or "
                f"training.lr0={peak_rate(self.kit.recipe) / 3:.2g}."
            ) from None

    @property
    def last(self) -> Form:
        """What is deployed."""
        return self.forms[-1]

    @property
    def latency(self) -> dict[str, Any]:
        """That of what is deployed, as plain values."""
        latency = self.last.latency
        return {"ms": latency.ms, **latency.to_dict()}

    def to_dict(self) -> dict[str, Any]:
        """Plain values of all forms, and what they were measured on."""
        main = task_of(self.kit.problem).main
        return {
            "forms": [form.row(main) for form in self.forms],
            "images": f"{len(self.images)} {self.part} images",
            **flip_mark(self.kit.recipe),
            "device": device_description(self.latency_settings.runtime),
        }

    def _told(self, form: Form) -> str:
        """A line on a form."""
        task = task_of(self.kit.problem)
        score = f"{task.measures[task.main].title} {form.scores[task.main]:.4f}"
        figures = f"{number(form.latency.ms)} ms, {number(form.size_mib)} MiB"
        took = "" if form.seconds is None else f", in {duration(form.seconds)}"
        flip = " with mirror images" if self.kit.recipe.flip_test else ""
        return f"{form.name}: {score}{flip}, {figures}{took}"

    def _judged(self, name: str, made: Compressed, seconds: float | None) -> Form:
        contents = _contents(made, self._shape)
        runs, scored = deployed(made.network), made.network
        device, file = self.kit.device, ONNX if made.packed is None else PACKED
        if made.quantised is not None:
            runs, scored = _in_onnxruntime(made.quantised, contents[ONNX_INT8], self._shape)
            device, file = CPU, ONNX_INT8
        scores = evaluate(scored.to(device), self.images, self.kit.problem, self.kit.recipe, device)
        latency = self._latency(made, contents)
        return Form(name, made, file, contents, runs, scored, device, scores, latency, seconds)

    def _latency(self, made: Compressed, contents: Mapping[str, bytes]) -> Latency:
        """Packed weights are unpacked before they work: that is the work of the form before."""
        before = [form.compressed for form in self.forms]
        if before and made.quantised is before[-1].quantised and made.section == before[-1].section:
            return self.last.latency
        clock = Clock(self.latency_settings, reference_ms(self.latency_settings))
        if clock.form is None:
            return clock.measure_network(made.deployed.cpu(), self._shape)
        return clock.measure(contents.get(ONNX_INT8, contents[ONNX]))

    @property
    def _shape(self) -> Shape:
        """(channels, height, width) of an image."""
        channels, height, width = self.images.images.shape[1:]
        return channels, height, width


def form_name(step: str, settings: CompressionSettings) -> str:
    """What the form is called that a step makes.

    >>> form_name("pruning", CompressionSettings())
    'pruned'
    """
    own = settings.quantisation
    names = {"weights": f"{own.bits}-bit weights", "qat": "int8 (qat)"}
    of_quantisation = names.get(own.method, own.method)
    return {"pruning": "pruned", "quantisation": of_quantisation}.get(step, step)


def _in_onnxruntime(
    quantised: nn.Module, model: bytes, shape: Shape
) -> tuple[OnnxNetwork, OnnxNetwork]:
    """What is deployed in 8 bits, and the same with all that scores are taken of."""
    runs = OnnxNetwork(model)
    if not hasattr(quantised, "is_learning"):
        return runs, runs
    return runs, OnnxNetwork(onnx_model(learning(copy.copy(quantised)), shape, None))


def _contents(made: Compressed, shape: Shape) -> dict[str, bytes]:
    """The files of a form that are more than weights."""
    contents = {ONNX: FORMS["onnx"].write(made.network.cpu().eval(), shape, None)}
    if made.quantised is not None:
        contents[ONNX_INT8] = onnx_model(deployed(made.quantised.cpu().eval()), shape, None)
    if made.packed is not None:
        contents[PACKED] = made.packed
    return contents
