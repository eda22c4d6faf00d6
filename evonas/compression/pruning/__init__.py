"""Pruning: what matters least leaves a trained network, and a fine-tuning makes up for it.

Each way, its method, is a file here and a line in `METHODS`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from evonas.compression.finetuning import epochs_of, finetuned
from evonas.compression.pruning.channels import Channels
from evonas.compression.pruning.depth import Depth
from evonas.compression.pruning.importance import IMPORTANCE
from evonas.compression.pruning.method import Cut, Method
from evonas.compression.pruning.single_weights import Weights
from evonas.compression.step import Compressed, Section, Step, StepKit
from evonas.errors import BuildError
from evonas.models import count
from evonas.models.network import Network
from evonas.networks import planned as plan_of
from evonas.settings import CompressionSettings
from evonas.settings.compression import PruningSettings

METHODS: Mapping[str, Method] = {"channels": Channels(), "depth": Depth(), "weights": Weights()}


class Pruning(Step):
    """The step: cuts in rounds, each with a fine-tuning behind it."""

    def is_on(self, settings: CompressionSettings) -> bool:
        """See `Step.is_on`."""
        return settings.pruning.method != "none"

    def planned(self, section: Section, settings: CompressionSettings) -> Section:
        """See `Step.planned`.

        Raises:
            BuildError: The method does not fit this network, or would save no work.
        """
        method = METHODS[settings.pruning.method]
        cuts = list(_cuts(section, settings.pruning))
        for cut in cuts:
            method.check(cut)
        after = cuts[-1].after
        if method.saves_macs and _macs(after) >= _macs(section):
            raise BuildError(
                f"compression.pruning: without this share of it, the network has "
                f"{_macs(after):,} MACs, and {_macs(section):,} with all of it: it is too small to "
                "be pruned so. Write a larger ratio, or another method."
            )
        return after

    def applied(self, compressed: Compressed, kit: StepKit) -> Compressed:
        """See `Step.applied`. All weights are fine-tuned, those that the training froze too."""
        settings = kit.settings.pruning
        method, network = METHODS[settings.method], _network(compressed)
        epochs = epochs_of(kit.recipe, settings.epochs, settings.rounds)
        section = compressed.section
        for number, cut in enumerate(_cuts(section, settings)):
            importance = IMPORTANCE[settings.importance](network, kit)
            network = method.cut(network, cut, importance)
            finetuned(network, kit, epochs, number, method.attachments(network))
            section = cut.after
        return replace(compressed, section=section, network=network)


def _cuts(section: Section, settings: PruningSettings) -> Iterator[Cut]:
    """One for each round: what is gone of the network grows by as much each time."""
    before, goal = section, settings.ratios or (settings.ratio,)
    for number in range(1, settings.rounds + 1):
        shares = tuple(share * number / settings.rounds for share in goal)
        after = METHODS[settings.method].planned(section, shares)
        yield Cut(before, after, shares)
        before = after


def _macs(section: Section) -> int:
    return count(plan_of(section).as_deployed()).macs


def _network(compressed: Compressed) -> Network:
    """The trained network as its plan has it, whichever source it was built from."""
    if isinstance(compressed.network, Network):
        return compressed.network
    network = Network(plan_of(compressed.section))
    network.load_state_dict(compressed.network.state_dict())
    return network
