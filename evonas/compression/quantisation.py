"""Weights in fewer bits, once a network is trained. A new method is a line in `METHODS`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from evonas.compression.packing.pack import packed, packed_bytes
from evonas.compression.step import Compressed, Step, StepKit
from evonas.networks.plan import Plan
from evonas.settings import CompressionSettings
from evonas.settings.compression import QuantisationSettings


@dataclass(frozen=True)
class Method:
    """A way to quantise.

    Attributes:
        stored_bytes: Of the weights of the network that a plan describes, as they are shipped.
        applied: What it makes of a trained network.
    """

    stored_bytes: Callable[[Plan, QuantisationSettings], int]
    applied: Callable[[Compressed, StepKit], Compressed]


METHODS: Mapping[str, Method] = {
    "weights": Method(packed_bytes, packed),
    "pq": Method(packed_bytes, packed),
}


class Quantisation(Step):
    """The step of the settings `quantisation`, by one of the `METHODS`."""

    def is_on(self, settings: CompressionSettings) -> bool:
        """Whether there is a method."""
        return settings.quantisation.method != "none"

    def stored_bytes(self, plan: Plan, settings: CompressionSettings) -> int | None:
        """The method's."""
        return METHODS[settings.quantisation.method].stored_bytes(plan, settings.quantisation)

    def applied(self, compressed: Compressed, kit: StepKit) -> Compressed:
        """What the method makes of it."""
        return METHODS[kit.settings.quantisation.method].applied(compressed, kit)
