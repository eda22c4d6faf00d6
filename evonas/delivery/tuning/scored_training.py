"""One training of a tuning, scored on the validation images after each epoch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

import torch
from torch import nn

from evonas.compression.compress import attachments, changes_training
from evonas.data.dataset import Dataset
from evonas.delivery.final_compression import rebuilt, step_kit
from evonas.exporters.file_names import BLUEPRINT, FACTS
from evonas.key import key_of
from evonas.model_folder.model_folder import ModelFolder
from evonas.model_folder.recipe_file import Recipe
from evonas.models import learning, network_macs
from evonas.settings import CompressionSettings, TrainingSettings
from evonas.tasks import task_of
from evonas.training import Progress, is_worth_a_probe, load_checkpoint, save_checkpoint, train
from evonas.training.attachment import Attachment
from evonas.training.job import begin, gains_from_bfloat16

CHECKPOINT = "tuning.safetensors"


class Hopeless(Exception):
    """The training does badly so far, and is ended."""


@dataclass
class ScoredTraining:
    """What all trainings of a tuning have in common.

    `about` is a key of it. `steps` of compression may act on trainings; scores are taken before
    those that come behind.
    """

    folder: ModelFolder
    recipe: Recipe
    data: Dataset
    steps: CompressionSettings
    device: torch.device
    about: str
    bfloat16: bool = False

    def scored(
        self,
        training: TrainingSettings,
        seed: int,
        is_hopeless: Callable[[Sequence[float]], bool] = lambda scores: False,
    ) -> float:
        """The main measure on the validation images; goes on from a checkpoint of this training.

        Args:
            is_hopeless: Told the scores after each epoch, as `judged` gives them.

        Raises:
            Hopeless: So it is.
            TrialFailure: The loss is no longer finite (`diverged`).
        """
        network = self.network(training, seed)
        key = key_of([self.about, training.model_dump(mode="json"), seed, self.bfloat16])
        progress = load_checkpoint(self.checkpoint, network, key)

        def after_epoch(progress: Progress) -> None:
            save_checkpoint(self.checkpoint, network, progress, key)
            judge(progress)

        def judge(progress: Progress) -> None:
            if is_hopeless(self.judged(progress)):
                raise Hopeless

        if progress is not None:
            judge(progress)
        done = train(
            network,
            self.data.train,
            self.data.problem,
            training,
            seed,
            self.device,
            progress,
            after_epoch,
            validation=self.data.validation,
            is_balanced=self.recipe.data is not None
            and self.recipe.data.class_weights == "balanced",
            bfloat16=self.bfloat16,
            attachments=self._attachments(training),
        )
        return self.judged(done)[-1]

    def judged(self, progress: Progress) -> list[float]:
        """After each epoch, the score of the weights that a retraining would keep if it ended."""
        scores, task = progress.validation_scores, task_of(self.data.problem)
        if self.recipe.training.keep == "last":
            return scores
        best = max if task.measures[task.main].direction == "maximise" else min
        return list(accumulate(scores, best))

    def network(self, training: TrainingSettings, seed: int) -> nn.Module:
        """The network as a training by this recipe begins."""
        network: nn.Module
        if self.steps.meant():
            network = rebuilt(self.folder)
        else:
            network = learning(self.folder.source().network)
        designed = self.folder.mapping(BLUEPRINT).get("network", {}).get("initialisation")
        begin(network, training, seed, designed)
        task_of(self.data.problem).adapt(network, self.data.train.targets, training)
        return network

    def gains(self, network: nn.Module) -> bool:
        """Whether to compute in bfloat16, timed on a first batch if the recipe leaves it open."""
        images, problem = self.data.train, self.data.problem
        macs = network_macs(network, self.recipe.input.shape)
        training = self.recipe.training
        if training.amp != "auto" or not is_worth_a_probe(training, len(images), macs):
            return False
        return gains_from_bfloat16(network, training, images, problem, self.device)

    @property
    def checkpoint(self) -> Path:
        """Where a training that was stopped goes on from."""
        return self.folder.path / CHECKPOINT

    def clear(self) -> None:
        """Removes it."""
        self.checkpoint.unlink(missing_ok=True)

    def _attachments(self, training: TrainingSettings) -> list[Attachment]:
        """What the steps of compression add to a training."""
        if not changes_training(self.steps):
            return []
        recipe = self.recipe.model_copy(update={"training": training})
        facts = self.folder.mapping(FACTS)
        return attachments(step_kit(recipe, self.steps, facts, self.data.train, self.bfloat16))


def as_long_as(training: TrainingSettings, epochs: int) -> TrainingSettings:
    """The recipe of a training of so many epochs, which keeps no log of its own."""
    warmup = training.warmup_epochs
    if warmup is not None:
        warmup *= epochs / training.epochs
    return training.model_copy(update={"epochs": epochs, "warmup_epochs": warmup, "log": ()})
