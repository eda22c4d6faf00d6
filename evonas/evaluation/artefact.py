"""A design as it is deployed, in the forms in which that is measured."""

from dataclasses import dataclass, field, replace
from functools import cached_property

import torch
from torch import nn

from evonas.blueprint import Blueprint, scaled_network
from evonas.compression.compress import deployable, made_after
from evonas.exporters.agreement import outputs_of
from evonas.exporters.forms import FORMS
from evonas.exporters.onnx_suppression import with_suppression
from evonas.hardware.latency import Clock, Latency
from evonas.hardware.runtimes import some_images
from evonas.key import key_of
from evonas.models import build, with_plan
from evonas.networks.detector.heads import RAW
from evonas.networks.plan import Plan
from evonas.settings import CompressionSettings
from evonas.space import Scale

CANDIDATES = 300  # boxes that suppression looks at where it is timed: those of a crowded image


@dataclass(frozen=True)
class Artefact:
    """A design as it is deployed: what is measured is what is shipped.

    Weights are fresh: their values do not change the work. `key` is equal for artefacts of which
    every measure is the same; `batch` is the number of images of an inference. `compression`: what
    is made of the network of the `design`, so that it is that of the `plan`. `suppresses`: a
    detector's model has non-maximum suppression inside. Network and model are made when they are
    first asked for.
    """

    design: Blueprint
    scale: Scale
    plan: Plan
    key: str
    batch: int
    compression: CompressionSettings = field(default_factory=CompressionSettings)
    suppresses: bool = False

    @cached_property
    def network(self) -> nn.Module:
        """The network with its weights."""
        if not made_after(self.compression):
            return with_plan(build(self.design, self.scale, seed=0), self.plan)
        section = scaled_network(self.design, self.scale)
        return deployable(section, self.compression, outputs=self.plan.outputs)

    @cached_property
    def model(self) -> bytes:
        """The network as a serialised ONNX model.

        Raises:
            BuildError: The weights are more than an ONNX file holds.
        """
        model = FORMS["onnx"].write(self.network, self.scale.input_shape, self.batch)
        return with_suppression(model, confidence=self._least_score()) if self.suppresses else model

    def latency(self, clock: Clock) -> Latency:
        """What the clock says of it."""
        if clock.form is not None or self.suppresses:
            return clock.measure(self.model)
        return clock.measure_network(self.network, self.scale.input_shape)

    def _least_score(self) -> float:
        """What so many scores of a timed image pass.

        How many do is how much work suppression has, and scores of fresh weights are all alike.
        """
        images = torch.from_numpy(some_images((1, *self.scale.input_shape)))
        scores = outputs_of(self.network, images)[1].flatten()
        return float(scores.topk(min(CANDIDATES + 1, len(scores))).values[-1])


def undecoded(artefact: Artefact) -> Artefact:
    """A detector whose logits, and what boxes are made of, leave it as they are."""
    key = key_of([artefact.key, "undecoded"])
    names = {part.name for part in artefact.plan.parts}
    raw = [name for name in RAW if name in names]
    return replace(artefact, plan=artefact.plan.giving(*raw), key=key)


def suppressed(artefact: Artefact) -> Artefact:
    """A detector with decoding and non-maximum suppression inside."""
    return replace(artefact, key=key_of([artefact.key, "suppressed"]), suppresses=True)
