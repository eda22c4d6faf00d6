"""Steps of compression that do next to nothing, for tests of what is around them."""

from collections.abc import Mapping
from dataclasses import replace

import torch

from evonas.compression.step import Compressed, Section, Step, StepKit
from evonas.errors import BuildError
from evonas.models import Network, count
from evonas.networks import planned as plan_of
from evonas.networks.plan import Plan
from evonas.settings import CompressionSettings


class Shorter(Step):
    """Takes the first stage's last block away, if more than one is left."""

    def is_on(self, settings: CompressionSettings) -> bool:
        return settings.pruning.method == "depth"

    def planned(self, section: Section, settings: CompressionSettings) -> Section:
        stage, *others = section["stages"]
        if stage["layers"] < 3:
            raise BuildError("The first stage has no block to spare.")
        return {**section, "stages": [{**stage, "layers": stage["layers"] - 1}, *others]}

    def applied(self, compressed: Compressed, kit: StepKit) -> Compressed:
        section = self.planned(compressed.section, kit.settings)
        network = Network(plan_of(section))
        state = compressed.network.state_dict()
        network.load_state_dict({name: state[name] for name in network.state_dict()})
        return replace(compressed, section=section, network=network)


class Rounding(Step):
    """Rounds weights to so many bits of their largest; `int8` also runs in ONNX Runtime."""

    def is_on(self, settings: CompressionSettings) -> bool:
        return settings.quantisation.method in ("weights", "int8")

    def fault(self, settings: CompressionSettings) -> str | None:
        return "Groups of one weight save nothing." if settings.quantisation.group == 1 else None

    def stored_bytes(self, plan: Plan, settings: CompressionSettings) -> int | None:
        return count(plan).parameters * settings.quantisation.bits // 8

    @torch.no_grad()
    def applied(self, compressed: Compressed, kit: StepKit) -> Compressed:
        steps = 2 ** (kit.settings.quantisation.bits - 1) - 1
        for weights in compressed.network.parameters():
            scale = weights.abs().max().clamp(min=1e-9) / steps
            weights.copy_((weights / scale).round() * scale)
        is_int8 = kit.settings.quantisation.computes_in_int8
        return replace(compressed, quantised=compressed.network if is_int8 else None)


class Noise(Step):
    """Acts in the training alone, and does nothing there."""

    acts_in_training = True

    def is_on(self, settings: CompressionSettings) -> bool:
        return settings.quant_noise.method != "none"


SMALL_STEPS: Mapping[str, Step] = {
    "quant_noise": Noise(),
    "pruning": Shorter(),
    "quantisation": Rounding(),
}
