"""Steps of compression that take no time, in place of those that evonas has."""

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import cast

import pytest
import torch

from evonas.compression import STEPS
from evonas.compression.packing.pack import packed
from evonas.compression.step import Compressed, Section, Step, StepKit
from evonas.delivery import compress_model, retrain
from evonas.errors import BuildError, TrialFailure
from evonas.models import Network, deployed
from evonas.networks import planned
from evonas.settings import CompressionSettings, LatencySettings

STEPS_OF_ONE = 64  # a weight is rounded to the nearest of so many steps


class Narrower(Step):
    """Takes eight channels of the head; a ratio above a half is too much for a fine-tuning."""

    def is_on(self, settings: CompressionSettings) -> bool:
        return settings.pruning.method == "channels"

    def planned(self, section: Section, settings: CompressionSettings) -> Section:
        channels = section["head"]["channels"] - 8
        if channels == 0:
            raise BuildError("There are eight channels alone.")
        return {**section, "head": {**section["head"], "channels": channels}}

    def applied(self, compressed: Compressed, kit: StepKit) -> Compressed:
        if kit.settings.pruning.ratio > 0.5:
            raise TrialFailure("diverged", "the loss is nan")
        section = self.planned(compressed.section, kit.settings)
        network, state = Network(planned(section)), compressed.network.state_dict()
        first = {
            name: state[name][tuple(map(slice, tensor.shape))]
            for name, tensor in network.state_dict().items()
        }
        network.load_state_dict(first)
        return replace(compressed, section=section, network=network)


class Rounded(Step):
    """Weights as evonas packs them; what computes in 8 bits has rounded ones alone."""

    def is_on(self, settings: CompressionSettings) -> bool:
        return settings.quantisation.method != "none"

    def applied(self, compressed: Compressed, kit: StepKit) -> Compressed:
        if kit.settings.quantisation.method == "weights":
            return packed(compressed, kit)
        network = copy.deepcopy(compressed.network)
        with torch.no_grad():
            for weight in network.parameters():
                weight.copy_((weight * STEPS_OF_ONE).round() / STEPS_OF_ONE)
        return replace(compressed, quantised=deployed(network))


class Noisy(Step):
    """Acts in a training alone, by which the training is another one."""

    acts_in_training = True

    def is_on(self, settings: CompressionSettings) -> bool:
        return settings.quant_noise.method != "none"


@pytest.fixture
def plain_steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    plain = {"quant_noise": Noisy(), "pruning": Narrower(), "quantisation": Rounded()}
    for room in (retrain, compress_model):  # any latency will do
        monkeypatch.setattr(room, "LatencySettings", partial(LatencySettings, limit_s=0.02))
    with _steps(plain):
        yield


@contextmanager
def _steps(plain: Mapping[str, Step]) -> Iterator[None]:
    """These steps in place of evonas's, which come back in their order."""
    table = cast("dict[str, Step]", STEPS)
    kept = {**table}
    table.clear()
    table.update(plain)
    try:
        yield
    finally:
        table.clear()
        table.update(kept)
