"""What a step of compression is, what it works with, and what it gives."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import nn

from evonas.compression.teacher import Teacher
from evonas.data.dataset import Split
from evonas.networks.plan import Plan
from evonas.networks.problem import Problem
from evonas.settings import CompressionSettings, TrainingSettings
from evonas.training.attachment import Attachment

Section = Mapping[str, Any]


@dataclass(frozen=True)
class StepKit:
    """What steps work with.

    `section`: the scaled network section of what is trained. `images`: those of the training, of
    which a calibration takes some. `teacher`: from whom the training learns, where anybody teaches.
    """

    settings: CompressionSettings
    recipe: TrainingSettings
    section: Section
    images: Split
    problem: Problem
    seed: int
    device: torch.device
    is_balanced: bool = False
    bfloat16: bool = False
    teacher: Teacher | None = None


@dataclass(frozen=True)
class Compressed:
    """A trained network, as far as it is compressed.

    `network`: of 32 bits, of the scaled `section`; of methods that pack weights with the values
    that unpacking gives. `quantised`: computes as 8 bits do; its ONNX form is the int8 model.
    `packed`: the weights as they are shipped, safetensors.
    """

    section: Section
    network: nn.Module
    quantised: nn.Module | None = None
    packed: bytes | None = None

    @property
    def deployed(self) -> nn.Module:
        """What is scored and timed."""
        return self.network if self.quantised is None else self.quantised


class Step(ABC):
    """One step; it knows nothing of a network but what it is told.

    `acts_in_training`: it acts while the network is trained, and makes nothing of it afterwards.
    """

    acts_in_training: ClassVar[bool] = False

    @abstractmethod
    def is_on(self, settings: CompressionSettings) -> bool:
        """Whether anything is asked of it."""

    def fault(self, settings: CompressionSettings) -> str | None:
        """What is wrong with settings of it that contradict each other."""
        return None

    def planned(self, section: Section, settings: CompressionSettings) -> Section:
        """The scaled network section of what it makes of such a network.

        Raises:
            BuildError: It does not fit this network.
        """
        return section

    def stored_bytes(self, plan: Plan, settings: CompressionSettings) -> int | None:
        """Bytes of the weights as they are shipped; None: it leaves them as they are."""
        return None

    def attachment(self, kit: StepKit) -> Attachment | None:
        """What acts on the network while it is trained."""
        return None

    def applied(self, compressed: Compressed, kit: StepKit) -> Compressed:
        """What it makes of a trained network."""
        return compressed

    def untrained(
        self, network: nn.Module, images: torch.Tensor, settings: CompressionSettings
    ) -> nn.Module:
        """What is deployed of a network with fresh weights, built from what it planned.

        Args:
            images: Normal numbers (1, channels, height, width), where ranges are to be found.
        """
        return network
