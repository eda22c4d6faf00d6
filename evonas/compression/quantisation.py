"""Weights in fewer bits, once a network is trained. A new method is a line in `METHODS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from evonas.compression.int8 import methods as int8
from evonas.compression.packing.pack import packed, packed_bytes
from evonas.compression.step import Compressed, Section, Step, StepKit
from evonas.networks import planned as plan_of
from evonas.networks.plan import Plan
from evonas.settings import CompressionSettings
from evonas.settings.compression import QuantisationSettings

Untrained = Callable[[nn.Module, torch.Tensor, QuantisationSettings], nn.Module]


@dataclass(frozen=True)
class Method:
    """A way to quantise.

    Attributes:
        stored_bytes: Of the weights of the network that a plan describes, as they are shipped.
        applied: What it makes of a trained network.
        fits: Raises a BuildError for the plan of a network that it does not fit.
        untrained: What is deployed of a network with fresh weights; normal numbers as an image,
            (1, channels, height, width), tell ranges.
    """

    stored_bytes: Callable[[Plan, QuantisationSettings], int]
    applied: Callable[[Compressed, StepKit], Compressed]
    fits: Callable[[Plan], None] = lambda plan: None
    untrained: Untrained = lambda network, image, settings: network


METHODS: Mapping[str, Method] = {
    "int8": Method(int8.int8_bytes, int8.in_int8, int8.fits, int8.untrained),
    "qat": Method(int8.int8_bytes, int8.with_training, int8.fits, int8.untrained),
    "weights": Method(packed_bytes, packed),
    "pq": Method(packed_bytes, packed),
}


class Quantisation(Step):
    """The step of the settings `quantisation`, by one of the `METHODS`."""

    def is_on(self, settings: CompressionSettings) -> bool:
        """Whether there is a method."""
        return settings.quantisation.method != "none"

    def planned(self, section: Section, settings: CompressionSettings) -> Section:
        """The section as it is, if the method fits it.

        Raises:
            BuildError: It does not.
        """
        METHODS[settings.quantisation.method].fits(plan_of(section))
        return section

    def stored_bytes(self, plan: Plan, settings: CompressionSettings) -> int | None:
        """The method's."""
        return METHODS[settings.quantisation.method].stored_bytes(plan, settings.quantisation)

    def applied(self, compressed: Compressed, kit: StepKit) -> Compressed:
        """What the method makes of it."""
        return METHODS[kit.settings.quantisation.method].applied(compressed, kit)

    def untrained(
        self, network: nn.Module, images: torch.Tensor, settings: CompressionSettings
    ) -> nn.Module:
        """What the method deploys."""
        own = settings.quantisation
        return METHODS[own.method].untrained(network, images, own)
