"""Distillation: a network learns from the outputs, and maybe the maps, of a trained one."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from torch.nn import functional

from evonas.compression.last_maps import Maps, last_maps, passed
from evonas.compression.step import Step, StepKit
from evonas.compression.teacher import Teacher
from evonas.errors import BuildError
from evonas.models import initialise
from evonas.networks.problem import Problem
from evonas.settings import CompressionSettings, DistillationSettings
from evonas.tasks import task_of
from evonas.tasks.task import outputs_of
from evonas.training.attachment import Attachment
from evonas.training.precision import autocast, in_bfloat16

PREFIX = "distillation."
TINY = 1e-6  # mean square of maps that are all but zero


class Distillation(Step):
    """Acts on the training alone: what is deployed is the network as it was planned."""

    acts_in_training = DistillationSettings.acts_in_training

    def is_on(self, settings: CompressionSettings) -> bool:
        """See `Step`."""
        return settings.distillation.method != "none"

    def fault(self, settings: CompressionSettings) -> str | None:
        """See `Step`."""
        own = settings.distillation
        if own.method == "none" or own.teacher is not None:
            return None
        return (
            f"compression.distillation.method={own.method} learns from a teacher, and there is "
            "none. Write compression.distillation.teacher=best, or a model folder."
        )

    def attachment(self, kit: StepKit) -> Attachment | None:
        """See `Step`. Without a teacher the training is one without distillation."""
        if not self.is_on(kit.settings) or kit.teacher is None:
            return None
        return Lessons(kit, kit.teacher)


class Lessons(Attachment):
    """alpha x imitation + (1 - alpha) x the plain loss + hint x distance of the last maps.

    Hinton et al. 2015, arXiv 1503.02531, and FitNets, arXiv 1412.6550, whose two stages are one
    here. The teacher sees each batch as the network does, in the same precision.
    """

    def __init__(self, kit: StepKit, teacher: Teacher) -> None:
        self.kit = kit
        self.teacher = teacher
        self.hint: Hint | None = None

    @property
    def modules(self) -> tuple[nn.Module, ...]:  # type: ignore[override]
        """See `Attachment`."""
        return () if self.hint is None else (self.hint.adapters,)

    @property
    def state(self) -> Mapping[str, torch.Tensor]:
        """See `Attachment`."""
        return {
            f"{PREFIX}{name}": tensor
            for module in self.modules
            for name, tensor in module.state_dict().items()
        }

    @contextmanager
    def attached(
        self, network: nn.Module, device: torch.device, state: Mapping[str, torch.Tensor]
    ) -> Iterator[None]:
        """See `Attachment`.

        Raises:
            BuildError: The teacher cannot teach this network.
        """
        self.teacher.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        image = torch.zeros(1, *self.kit.images.images.shape[1:], device=device)
        check_fit(network, self.teacher, self.kit.problem, image)
        with ExitStack() as stack:
            if self.kit.settings.distillation.method == "features":
                seen, taught = (
                    stack.enter_context(last_maps(module, image))
                    for module in (network, self.teacher.network)
                )
                self.hint = Hint(seen, taught, self.kit.seed, device, state)
            yield
        self.hint = None

    def loss(
        self, images: torch.Tensor, outputs: tuple[torch.Tensor, ...], plain: torch.Tensor
    ) -> torch.Tensor:
        """See `Attachment`."""
        kit, own = self.kit, self.kit.settings.distillation
        with autocast(images.device, in_bfloat16(kit.recipe, kit.bfloat16)):
            taught = self.teacher(images, kit.problem)
        imitation = task_of(kit.problem).imitation_loss(
            outputs, taught, own.temperature, kit.recipe
        )
        loss = own.alpha * imitation + (1 - own.alpha) * plain
        return loss if self.hint is None else loss + own.hint * self.hint.loss()


def check_fit(network: nn.Module, teacher: Teacher, problem: Problem, image: torch.Tensor) -> None:
    """Raises a BuildError if the teacher cannot teach this network.

    Args:
        image: Any of the size of the training, (1, channels, height, width), where both are.
    """
    outputs, taught = outputs_of(passed(network, image)), teacher(image, problem)
    reason = task_of(problem).unteachable(outputs, taught)
    if reason is not None:
        raise BuildError(f"compression.distillation: {reason}.")


class Hint:
    """1x1 convolutions from a network's last maps to its teacher's, trained along.

    Args:
        seen, taught: What `last_maps` gives of the network and of the teacher.
        state: Of a checkpoint, with the adapters' weights in it.
    """

    def __init__(
        self,
        seen: Maps,
        taught: Maps,
        seed: int,
        device: torch.device,
        state: Mapping[str, torch.Tensor],
    ) -> None:
        self.seen = seen
        self.taught = taught
        with torch.device("meta"):  # draws nothing from torch's own generator
            pairs = zip(seen, taught, strict=True)
            self.adapters = nn.ModuleList(
                nn.Conv2d(own.shape[1], other.shape[1], 1) for own, other in pairs
            )
        self.adapters.to_empty(device="cpu")
        initialise(self.adapters, seed)
        kept = {name.removeprefix(PREFIX): t for name, t in state.items() if PREFIX in name}
        self.adapters.load_state_dict({**self.adapters.state_dict(), **kept})
        self.adapters.to(device)

    def loss(self) -> torch.Tensor:
        """The mean squared error of the maps of the latest pass; larger ones are averaged.

        As a share of the teacher's mean square: so a weight means the same for every teacher.
        """
        layers = zip(self.adapters, self.seen, self.taught, strict=True)
        errors = [self._error(adapter, own, other) for adapter, own, other in layers]
        return torch.stack(errors).mean()

    def _error(self, adapter: nn.Module, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        size = min(own.shape[2], other.shape[2]), min(own.shape[3], other.shape[3])
        own, other = (functional.adaptive_avg_pool2d(maps.float(), size) for maps in (own, other))
        return functional.mse_loss(adapter(own), other) / other.square().mean().clamp(min=TINY)
