"""The training of an exported model, which goes on after a stop and may keep its best epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch
from torch import nn

from evonas.compression.compress import attachments, changes_training
from evonas.compression.teacher import teacher_of
from evonas.data.cache import data_key
from evonas.data.dataset import Dataset, Split
from evonas.delivery.final_compression import step_kit
from evonas.errors import ExportError, TrialFailure
from evonas.exporters.file_names import BLUEPRINT, LAST, SOURCE
from evonas.exporters.weights import put_weights, tensors_of, weights_of
from evonas.files import write_atomically
from evonas.key import checksum, key_of
from evonas.model_folder.model_folder import ModelFolder
from evonas.model_folder.recipe_file import Recipe
from evonas.models import network_macs
from evonas.reports.epochs import Epochs
from evonas.reports.training_pictures import RATES
from evonas.settings import CompressionSettings
from evonas.tasks import task_of
from evonas.training import (
    Progress,
    is_worth_a_probe,
    load_checkpoint,
    save_checkpoint,
    train,
)
from evonas.training.attachment import Attachment
from evonas.training.job import gains_from_bfloat16
from evonas.training.rate_schedules import rate_course
from evonas.training.rates import peak_rate

CHECKPOINT = "checkpoint.safetensors"
BEST = "best.safetensors"  # weights, while the training lasts
RATES_SHOWN = 60  # learning rates at least


def holds_out(recipe: Recipe) -> bool:
    """True if validation images keep the best epoch, end the training or lower its rate."""
    training = recipe.training
    is_watched = training.patience is not None or training.plateau is not None
    return training.keep == "best" or is_watched


def learnt_from(recipe: Recipe, data: Dataset) -> Split:
    """The images that a retraining learns from: all but the test ones, and those held out."""
    return data.train if holds_out(recipe) else data.development


@dataclass
class FinalTraining:
    """One retraining; its checkpoint lies in the model folder until `clear`.

    `steps` of compression may act on it, on the network that `facts` describe. `kept`: files for
    the model folder that came of it, by name.
    """

    folder: ModelFolder
    recipe: Recipe
    data: Dataset
    device: torch.device
    display: Epochs
    steps: CompressionSettings
    facts: Mapping[str, Any]
    kept: dict[str, bytes] = field(default_factory=dict)

    @property
    def keeps_best(self) -> bool:
        """True if validation images choose the epoch whose weights stay."""
        return self.recipe.training.keep == "best"

    @cached_property
    def images(self) -> Split:
        """What the network learns from."""
        return learnt_from(self.recipe, self.data)

    def run(self, network: nn.Module) -> Progress:
        """Trains in place, from the checkpoint on if there is one of the same training.

        Raises:
            ExportError: It diverged.
        """
        progress = self._begun(network)
        recipe = self.recipe
        bfloat16 = self._gains_from_bfloat16(network) if progress is None else progress.bfloat16
        self.display.begin(recipe.training.epochs, progress.epochs_done if progress else 0)
        try:
            with self.display:
                progress = train(
                    network,
                    self.images,
                    self.data.problem,
                    recipe.training,
                    recipe.seed,
                    self.device,
                    progress,
                    lambda progress: self._after_epoch(network, progress),
                    validation=self.data.validation if holds_out(self.recipe) else None,
                    is_balanced=recipe.data is not None and recipe.data.class_weights == "balanced",
                    bfloat16=bfloat16,
                    log_folder=self.folder.path,
                    attachments=self._attachments(bfloat16),
                )
        except TrialFailure as failure:
            self.clear()
            raise ExportError(
                f"The training diverged: {failure}. "
                f"Lower the learning rate, which is {peak_rate(recipe.training):g}: "
                f"training.lr0={peak_rate(recipe.training) / 3:.2g}."
            ) from None
        self._tell_if_stopped(progress)
        self._take_best(network)
        return progress

    def _tell_if_stopped(self, progress: Progress) -> None:
        epochs = self.recipe.training.epochs
        if progress.epochs_done < epochs:
            self.display.line(
                f"Ended after epoch {progress.epochs_done} of {epochs}: the loss of the validation "
                f"images was lowest {self.recipe.training.patience} epochs before "
                "(training.patience)."
            )

    def _attachments(self, bfloat16: bool) -> list[Attachment]:
        """What the steps of compression add to the training."""
        if not changes_training(self.steps):
            return []
        return attachments(step_kit(self.recipe, self.steps, self.facts, self.images, bfloat16))

    def best_epoch(self, progress: Progress) -> dict[str, Any]:
        """Which epoch the weights are of, and how it did on the validation images."""
        if not self.keeps_best:
            return {}
        epoch = self._best(progress)
        main = task_of(self.data.problem).main
        score = progress.validation_scores[epoch]
        return {"best_epoch": epoch + 1, f"validation_{main}": score}

    def _best(self, progress: Progress) -> int:
        """The first of the epochs that no other does better than, counted from 0."""
        task, scores = task_of(self.data.problem), progress.validation_scores
        best = max if task.measures[task.main].direction == "maximise" else min
        return scores.index(best(scores))

    def course(self, progress: Progress) -> dict[str, Any]:
        """How the training went: `curve` is the loss of each epoch, `learning_rates` are pairs.

        Of these the first is how many epochs were done. On validation images, where there are any,
        `validation_curve` is the loss and `validation_scores` have the main measure, by its name.
        """
        recipe, epochs = self.recipe.training, max(1, progress.epochs_done)
        rates = rate_course(recipe, progress.watched, -(-RATES_SHOWN // epochs))
        found: dict[str, Any] = {"curve": progress.curve, RATES: [[*pair] for pair in rates]}
        if progress.validation_curve:
            main = task_of(self.data.problem).main
            found["validation_curve"] = progress.validation_curve
            found["validation_scores"] = {main: progress.validation_scores}
        if self.recipe.training.ema:
            found["ema"] = self.recipe.training.ema
        return found

    def clear(self) -> None:
        """Removes what a training that was stopped would have gone on from."""
        for name in (CHECKPOINT, BEST):
            (self.folder.path / name).unlink(missing_ok=True)

    def _begun(self, network: nn.Module) -> Progress | None:
        file = self.folder.path / CHECKPOINT
        progress = load_checkpoint(file, network, self._key)
        if progress is not None:
            self.display.line(f"Going on after epoch {progress.epochs_done}.")
        elif file.exists():
            self.display.line(
                f"{file} is not of this training, or damaged: training begins from the start."
            )
        return progress

    def _after_epoch(self, network: nn.Module, progress: Progress) -> None:
        if self.keeps_best and self._best(progress) + 1 == progress.epochs_done:
            # Before the checkpoint: after a stop in between, the epoch is done again, and is equal.
            write_atomically(self.folder.path / BEST, weights_of(network))
        save_checkpoint(self.folder.path / CHECKPOINT, network, progress, self._key)
        self.display.finished(progress.epochs_done, progress.curve[-1], self._told(progress))

    def _told(self, progress: Progress) -> str:
        """How the last epoch did on the validation images, if there are any."""
        if not progress.validation_scores:
            return ""
        task = task_of(self.data.problem)
        is_best = self._best(progress) + 1 == progress.epochs_done
        title, score = task.measures[task.main].title, progress.validation_scores[-1]
        return f"validation {title} {score:.4f}{', the best so far' if is_best else ''}"

    def _take_best(self, network: nn.Module) -> None:
        if self.keeps_best:
            self.kept[LAST] = weights_of(network)
            file = self.folder.path / BEST
            put_weights(network, tensors_of(file.read_bytes(), file), file)

    @cached_property
    def _key(self) -> str:
        """Of all that the weights depend on."""
        recipe = self.recipe
        assert recipe.data is not None, "a retraining has data"
        weights = recipe.training.weights
        changes, teacher = changes_training(self.steps), teacher_of(self.steps, recipe.problem)
        return key_of(
            [
                checksum(self.folder.read(SOURCE)),
                checksum(self.folder.read(BLUEPRINT)),
                recipe.training.model_dump(mode="json", exclude={"log"}),
                None if weights is None else checksum(weights.read_bytes()),
                data_key(recipe.data),
                recipe.input.resolution_px,
                recipe.seed,
                *([changes, teacher.key if teacher else ""] if changes else []),
                *([recipe.origin.enlarged] if recipe.origin.enlarged else []),
            ]
        )

    def _gains_from_bfloat16(self, network: nn.Module) -> bool:
        """Whether to compute in bfloat16, timed on a first batch if the recipe leaves it open."""
        training, problem = self.recipe.training, self.data.problem
        if training.amp != "auto":
            return False
        count, channels, height, width = self.images.images.shape
        macs = network_macs(network, (channels, height, width))
        if not is_worth_a_probe(training, count, macs):
            return False
        return gains_from_bfloat16(network, training, self.images, problem, self.device)
