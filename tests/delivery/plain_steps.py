"""Steps of compression that take no time, in place of those that evonas has."""

import copy
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch

from evonas.compression import STEPS
from evonas.compression.packing.pack import packed
from evonas.compression.step import Compressed, Section, Step, StepKit
from evonas.errors import BuildError, TrialFailure
from evonas.models import Network, deployed
from evonas.networks import planned
from evonas.settings import CompressionSettings

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
    with monkeypatch.context() as patch:
        for name in [*STEPS]:
            patch.delitem(STEPS, name)  # type: ignore[arg-type]
        for name, step in plain.items():
            patch.setitem(STEPS, name, step)  # type: ignore[arg-type]
        yield
