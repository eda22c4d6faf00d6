"""What can leave a network, and what all ways of it have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from evonas.compression.pruning.importance import Scores
from evonas.compression.step import Section
from evonas.models.network import Network
from evonas.training.attachment import Attachment


@dataclass(frozen=True)
class Cut:
    """What goes at once: from one scaled section to another, without these shares."""

    before: Section
    after: Section
    shares: tuple[float, ...]


class Method(ABC):
    """One kind of pruning. `saves_macs`: a cut that saves no work would be a mistake."""

    saves_macs: ClassVar[bool] = True

    @abstractmethod
    def planned(self, section: Section, shares: Sequence[float]) -> Section:
        """The scaled section of what is left.

        Raises:
            BuildError: The network has nothing that could go so.
        """

    @abstractmethod
    def check(self, cut: Cut) -> None:
        """Makes sure before a training that a network of one section gives one of the other.

        Raises:
            BuildError: It does not.
        """

    @abstractmethod
    def cut(self, network: Network, cut: Cut, importance: Scores) -> Network:
        """What is left of a trained network, with its weights."""

    def attachments(self, network: Network) -> list[Attachment]:
        """What acts on what is left while it is fine-tuned."""
        return []
