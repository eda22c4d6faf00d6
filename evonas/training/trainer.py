"""One training: images that stay in memory, one recipe, one seed, no data loader."""

import copy
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from evonas.data.dataset import Split
from evonas.errors import BuildError
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings
from evonas.tasks import task_of
from evonas.tasks.task import LOSS, Loss
from evonas.tasks.variation.resolution import side_px
from evonas.training.acceleration import Pass, make_pass
from evonas.training.adversary import Adversary
from evonas.training.allocator import keep_freed_memory
from evonas.training.attachment import Attachment, all_attached
from evonas.training.auxiliary import Auxiliary, attached
from evonas.training.averaging import Average
from evonas.training.batch_norm import accumulated
from evonas.training.batches import Batches, resident_batches
from evonas.training.callbacks import check_finite, is_stopped_early
from evonas.training.logs import opened_logs
from evonas.training.optimizers import (
    clip_gradients,
    make_optimizer,
    restore,
    set_rate,
    state_of,
)
from evonas.training.precision import in_bfloat16
from evonas.training.rate_schedules import peak_after, rate_factor
from evonas.training.regularisation import Regularisation, regularised
from evonas.training.scoring import evaluate
from evonas.training.training_progress import Progress
from evonas.training.transfer import frozen_to_eval
from evonas.training.watching import Watching

LOOK_EVERY = 100  # steps; a look at the loss makes a GPU wait


def train(
    network: nn.Module,
    split: Split,
    problem: Problem,
    recipe: TrainingSettings,
    seed: int,
    device: torch.device | None = None,
    progress: Progress | None = None,
    after_epoch: Callable[[Progress], None] | None = None,
    *,
    validation: Split | None = None,
    is_balanced: bool = False,
    bfloat16: bool = False,
    until: int | None = None,
    log_folder: Path | None = None,
    attachments: Sequence[Attachment] = (),
) -> Progress:
    """Trains in place and tells how the loss went.

    The same network, images, recipe and seed give the same weights, also when the training is
    stopped after an epoch and goes on later from its `progress`. After each epoch, and at the
    end, the network holds what is to be scored: with `ema`, the average of its weights.

    Args:
        after_epoch: Called with the progress after each epoch; its state is live.
        validation: Images whose loss `patience` and `plateau` go by; without, they go by the
            training loss.
        is_balanced: All classes count the same in the training loss.
        bfloat16: What `amp=auto` means, for a training that begins (see `precision.probe`).
        until: The training stops after this epoch, on its way to those of the recipe.
        log_folder: Where `log` writes; without, it writes nothing.
        attachments: What else acts on the network while it trains.

    Raises:
        TrialFailure: The loss is no longer finite (`diverged`).
        SettingsError: The recipe asks for what is not to be had here.
        BuildError: The recipe begins with images that are too small for the network.
    """
    _check_small_images(network, recipe, split.images.shape[1:])
    keep_freed_memory()
    device = device or torch.device("cpu")
    progress = progress or Progress(bfloat16=in_bfloat16(recipe, bfloat16))
    last = recipe.epochs if until is None else min(recipe.epochs, until)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    batches = resident_batches(split, problem, recipe, device)
    image = torch.zeros(1, *split.images.shape[1:], device=device)
    heads = task_of(problem).auxiliary_outputs(problem)
    watching = Watching(task_of(problem))
    loss_of = _loss(split, problem, recipe, is_balanced, device)
    if recipe.log and log_folder and not recipe.cuda_graphs:
        loss_of = watching.around(loss_of)
    with (
        regularised(network, recipe) as regularisation,
        attached(network, heads, recipe, image, seed, progress.state) as auxiliary,
        opened_logs(recipe.log, log_folder, progress.epochs_done) as log,
        all_attached(attachments, network, device, progress.state),
        accumulated(network, recipe) as accumulation,
    ):
        bfloat16 = progress.bfloat16
        step = make_pass(
            network, loss_of, recipe, device, bfloat16, auxiliary, attachments, accumulation
        )
        adversary = Adversary(network, problem, recipe, bfloat16)
        training = _Training.begin(
            network,
            batches,
            adversary,
            step,
            device,
            progress,
            regularisation,
            auxiliary,
            attachments,
        )
        while progress.epochs_done < last and not _is_over(recipe, progress):
            start = time.perf_counter()
            row = {**training.epoch(progress, seed), **watching.taken()}
            if validation is not None:
                scores = evaluate(network, validation, problem, recipe, device)
                main = task_of(problem).main
                progress.validation_curve.append(scores[LOSS])
                progress.validation_scores.append(scores[main])
                told = (LOSS, main)
                row |= {f"validation_{name}": scores[name] for name in told}
            log(progress.epochs_done, row | {"seconds": time.perf_counter() - start})
            if after_epoch is not None:
                after_epoch(progress)
    return progress


def _check_small_images(
    network: nn.Module, recipe: TrainingSettings, shape: tuple[int, ...]
) -> None:
    """Networks that make a feature of each pixel take images of one size alone."""
    channels, full_px, _ = shape
    smallest_px = side_px(full_px, recipe.progressive, 0)
    flattens = any(isinstance(module, nn.Flatten) for module in network.modules())
    if smallest_px == full_px or not flattens:
        return
    try:
        small = torch.empty(1, channels, smallest_px, smallest_px, device="meta")
        copy.deepcopy(network).to("meta").eval()(small)
    except RuntimeError:
        raise BuildError(
            f"training.progressive={recipe.progressive:g} begins with images of {smallest_px} px, "
            f"and this network takes {full_px} px alone. Leave progressive out, or end the network "
            "with a global_pool in place of flatten."
        ) from None


def _loss(
    split: Split,
    problem: Problem,
    recipe: TrainingSettings,
    is_balanced: bool,
    device: torch.device,
) -> Loss:
    """The task's loss with the recipe, and with weights of classes if they are balanced."""
    task = task_of(problem)
    weights = task.class_weights(split.targets, problem).to(device) if is_balanced else None
    return partial(task.loss, recipe=recipe, class_weights=weights)


def _is_over(recipe: TrainingSettings, progress: Progress) -> bool:
    return is_stopped_early(progress.watched, recipe.patience)


@dataclass(frozen=True)
class _Training:
    """All that an epoch needs."""

    network: nn.Module
    batches: Batches
    adversary: Adversary
    step: Pass
    optimizer: torch.optim.Optimizer
    average: Average | None
    regularisation: Regularisation
    auxiliary: Auxiliary | None
    attachments: Sequence[Attachment]
    device: torch.device

    @classmethod
    def begin(
        cls,
        network: nn.Module,
        batches: Batches,
        adversary: Adversary,
        step: Pass,
        device: torch.device,
        progress: Progress,
        regularisation: Regularisation,
        auxiliary: Auxiliary | None,
        attachments: Sequence[Attachment],
    ) -> "_Training":
        """A training that stands where the progress says."""
        recipe = batches.recipe
        also = list(auxiliary.heads.parameters()) if auxiliary else []
        also += [tensor for attachment in attachments for tensor in attachment.parameters]
        optimizer = make_optimizer(network, recipe, also)
        restore(optimizer, progress.state)
        average = Average(network, recipe.ema, progress.state) if recipe.ema else None
        return cls(
            network,
            batches,
            adversary,
            step,
            optimizer,
            average,
            regularisation,
            auxiliary,
            attachments,
            device,
        )

    def epoch(self, progress: Progress, seed: int) -> dict[str, float]:
        """One pass over the images; what there is to log of it."""
        epoch = progress.epochs_done
        epoch_seed = seed + 1_000_003 * epoch
        peak = peak_after(self.batches.recipe, progress.watched)
        self._swap()
        with _seeded(epoch_seed, self.device):  # what regularisation draws
            loss = self._steps(epoch, peak, torch.Generator().manual_seed(epoch_seed))
        self._swap()
        progress.curve.append(loss)
        progress.epochs_done = epoch + 1
        progress.state = state_of(self.optimizer)
        for more in (self.average, self.auxiliary, *self.attachments):
            progress.state |= more.state if more else {}
        rate = peak * rate_factor(self.batches.recipe, (epoch + 1) / self.batches.recipe.epochs)
        return {"loss": loss, "learning_rate": rate}

    def _steps(self, epoch: int, peak: float, generator: torch.Generator) -> float:
        """The mean loss of the steps."""
        self.network.train()
        if not all(weights.requires_grad for weights in self.network.parameters()):
            frozen_to_eval(self.network)
        for attachment in self.attachments:
            attachment.before_epoch()
        total = torch.zeros((), device=self.device)
        varied = enumerate(self.batches.epoch(epoch, generator), start=1)
        for number, (done, (images, targets)) in varied:
            set_rate(self.optimizer, peak * rate_factor(self.batches.recipe, done))
            self.regularisation.at(done)
            total += self.step(self.adversary.changed(images, targets), targets)
            clip_gradients(self.optimizer, self.batches.recipe.clip_gradients)
            self.optimizer.step()
            if self.average is not None:
                self.average.update(epoch * len(self.batches) + number)
            if number % LOOK_EVERY == 0 or number == len(self.batches):
                check_finite(total.item(), epoch)
        return total.item() / len(self.batches)

    def _swap(self) -> None:
        if self.average is not None:
            self.average.swap()


@contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Torch's global generators begin at the seed, and are afterwards as they were before."""
    with torch.random.fork_rng([device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
