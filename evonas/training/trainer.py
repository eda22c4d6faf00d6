"""One training: images that stay in memory, one recipe, one seed, no data loader."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import nn

from evonas.data.dataset import Split
from evonas.errors import TrialFailure
from evonas.settings import TrainingSettings
from evonas.training.augmentation import flip_left_right, translate
from evonas.training.schedules import SCHEDULES

EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Normalisation:
    """Mean and deviation per channel of images scaled to 0..1."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    def apply(self, images: torch.Tensor) -> torch.Tensor:
        """uint8 (batch, channels, height, width) to normalised float32, channels last."""
        mean, deviation = (
            torch.tensor(values, device=images.device)[:, None, None] * 255
            for values in (self.mean, self.deviation)
        )
        normalised = (images.float() - mean) / deviation
        return normalised.contiguous(memory_format=torch.channels_last)


@dataclass
class Progress:
    """Where a training stands: enough to go on from, together with the network's weights."""

    epochs_done: int = 0
    momenta: list[torch.Tensor] = field(default_factory=list)
    curve: list[float] = field(default_factory=list)  # mean training loss of each epoch


@dataclass(frozen=True)
class Scores:
    """`accuracy`: share of images classified rightly. `loss`: mean cross-entropy."""

    accuracy: float
    loss: float


def train(
    network: nn.Module,
    split: Split,
    normalisation: Normalisation,
    recipe: TrainingSettings,
    seed: int,
    device: torch.device | None = None,
    progress: Progress | None = None,
    after_epoch: Callable[[Progress], None] | None = None,
) -> Progress:
    """Trains in place and tells how the loss went.

    The same network, images, recipe and seed give the same weights, also when the training is
    stopped after an epoch and goes on later from its `progress`.

    Args:
        after_epoch: Called with the progress after each epoch; its momenta are live.

    Raises:
        TrialFailure: The loss is no longer finite (`diverged`).
    """
    device = device or torch.device("cpu")
    progress = progress or Progress()
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(network, recipe, progress.momenta)
    images = torch.from_numpy(split.images).to(device)  # no copy: workers share the cached file
    labels = torch.from_numpy(split.labels.copy()).to(device)
    for epoch in range(progress.epochs_done, recipe.epochs):
        epoch_seed = seed + 1_000_003 * epoch
        generator = torch.Generator().manual_seed(epoch_seed)
        with _seeded(epoch_seed, device):  # what modules draw by themselves: drop path
            loss = _train_epoch(
                network, images, labels, normalisation, recipe, optimizer, epoch, generator
            )
        progress.curve.append(loss)
        progress.epochs_done = epoch + 1
        progress.momenta = _momenta(optimizer)
        if after_epoch is not None:
            after_epoch(progress)
    return progress


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's global generators begin at the seed, and are afterwards as they were before."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _train_epoch(
    network: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    normalisation: Normalisation,
    recipe: TrainingSettings,
    optimizer: torch.optim.Optimizer,
    epoch: int,
    generator: torch.Generator,
) -> float:
    """The mean loss of one pass over the images; they are uint8, resident on the device."""
    loss_function = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    batches = _batches(len(images), recipe.batch_size, generator)
    total = torch.zeros((), device=images.device)
    network.train()
    for step, indices in enumerate(batches):
        done = (epoch + (step + 1) / (len(batches) + 1)) / recipe.epochs
        _set_learning_rate(optimizer, recipe, done)
        chosen = indices.to(images.device)
        batch = normalisation.apply(_augmented(images[chosen], recipe, generator))
        loss = loss_function(network(batch), labels[chosen])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach()
    return _finite_mean(total.item() / len(batches), epoch)


@torch.no_grad()
def evaluate(
    network: nn.Module,
    split: Split,
    normalisation: Normalisation,
    device: torch.device | None = None,
) -> Scores:
    """Accuracy and loss on a split, in evaluation mode.

    Raises:
        TrialFailure: The network gives something that is not finite (`diverged`).
    """
    device = device or torch.device("cpu")
    network.eval()
    right, total = 0, 0.0
    for start in range(0, len(split), EVALUATION_BATCH):
        images = torch.from_numpy(split.images[start : start + EVALUATION_BATCH]).to(device)
        labels = torch.from_numpy(split.labels[start : start + EVALUATION_BATCH].copy()).to(device)
        logits = network(normalisation.apply(images))
        right += int((logits.argmax(1) == labels).sum())
        total += float(nn.functional.cross_entropy(logits, labels, reduction="sum"))
    if not math.isfinite(total):
        raise TrialFailure("diverged", "the trained network gives values that are not finite")
    return Scores(right / len(split), total / len(split))


def _optimizer(
    network: nn.Module, recipe: TrainingSettings, momenta: list[torch.Tensor]
) -> torch.optim.SGD:
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=recipe.lr0,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        nesterov=recipe.momentum > 0,
        fused=True,
    )
    for parameter, momentum in zip(network.parameters(), momenta, strict=False):
        state = momentum.to(parameter.device).clone()
        optimizer.state[parameter]["momentum_buffer"] = state.contiguous(
            memory_format=torch.channels_last if state.dim() == 4 else torch.contiguous_format
        )
    return optimizer


def _momenta(optimizer: torch.optim.SGD) -> list[torch.Tensor]:
    parameters = optimizer.param_groups[0]["params"]
    states = [optimizer.state[parameter].get("momentum_buffer") for parameter in parameters]
    return [state for state in states if state is not None]


def _batches(images: int, batch_size: int, generator: torch.Generator) -> list[torch.Tensor]:
    """Shuffled indices; an incomplete batch is left out, unless it is the only one."""
    order = torch.randperm(images, generator=generator)
    batches = list(torch.split(order, batch_size))
    return [batch for batch in batches if len(batch) == batch_size] or batches


def _set_learning_rate(
    optimizer: torch.optim.Optimizer, recipe: TrainingSettings, done: float
) -> None:
    factor = SCHEDULES[recipe.schedule](done, recipe.warmup_share, recipe.lrf)
    for group in optimizer.param_groups:
        group["lr"] = recipe.lr0 * factor


def _augmented(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> torch.Tensor:
    images = translate(images, recipe.translate, generator)
    return flip_left_right(images, recipe.fliplr, generator)


def _finite_mean(loss: float, epoch: int) -> float:
    if not math.isfinite(loss):
        raise TrialFailure("diverged", f"the training loss is {loss} in epoch {epoch + 1}")
    return loss
