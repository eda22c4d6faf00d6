"""A trained network from which others learn: what it makes of their images."""

from functools import lru_cache
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional

from evonas.errors import EvonasError, SettingsError
from evonas.exporters.file_names import SOURCE, WEIGHTS
from evonas.key import checksum, key_of
from evonas.model_folder.model_folder import ModelFolder
from evonas.models import learning
from evonas.networks.problem import Problem, told_classes
from evonas.presets import presets
from evonas.settings import CompressionSettings
from evonas.tasks.task import Outputs, outputs_of
from evonas.training.parts import is_detector

WORD = "compression.distillation.teacher"

Statistics = tuple[tuple[float, ...], tuple[float, ...]]  # mean and deviation of each channel


class Teacher(nn.Module):
    """A trained network that sees images as it was trained on them, and changes no more.

    Args:
        network: With its weights.
        problem: What it was trained for.
        side_px: Of the images that it was trained on.
        key: Of network and weights.
    """

    def __init__(self, network: nn.Module, problem: Problem, side_px: int, key: str = "") -> None:
        super().__init__()
        self.network = learning(network).requires_grad_(False)
        self.problem = problem
        self.side_px = side_px
        self.key = key
        self.takes_any_side = is_detector(network)  # its points are to be those of the student
        self.eval()

    @torch.no_grad()
    def forward(self, images: torch.Tensor, problem: Problem) -> Outputs:
        """What it gives for images (batch, channels, height, width), float32.

        Args:
            images: Normalised, as `problem` has it.
        """
        outputs = outputs_of(self.network(self._as_learnt(images, problem)))
        return tuple(output.float() for output in outputs)

    def _as_learnt(self, images: torch.Tensor, problem: Problem) -> torch.Tensor:
        own, given = ((each.mean, each.deviation) for each in (self.problem, problem))
        if own != given:
            scale, shift = _between(given, own, images.device)
            images = images * scale + shift
        side = (self.side_px, self.side_px)
        if not self.takes_any_side and images.shape[2:] != side:
            images = functional.interpolate(images, side, mode="bilinear", antialias=True)
        return images


@lru_cache(maxsize=16)
def _between(
    given: Statistics, own: Statistics, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """From one normalisation to another, as x * scale + shift; kept: a CUDA graph copies none."""
    (mean, deviation), (own_mean, own_deviation) = torch.tensor([given, own]).double()
    scale, shift = deviation / own_deviation, (mean - own_mean) / own_deviation
    return scale.float()[:, None, None].to(device), shift.float()[:, None, None].to(device)


def teacher_of(settings: CompressionSettings, problem: Problem) -> Teacher | None:
    """The model folder that is to teach networks of the problem; None if nobody is to.

    Raises:
        SettingsError: It cannot, or it is `best`, which only a search has.
    """
    own = settings.distillation
    if own.method == "none":
        return None
    if not isinstance(own.teacher, Path):
        raise SettingsError(
            f"{WORD}={own.teacher or 'none'}: {own.method} are learnt from a model, and the best "
            f"of a run teaches in a search alone. Write {WORD}=DIR, a model folder with trained "
            "weights, or compression.distillation.method=none."
        )
    teacher = read_teacher(own.teacher)
    reason = _misfit(teacher.problem, problem)
    if reason is not None:
        raise SettingsError(f"{WORD}={own.teacher}: {reason}")
    return teacher


def read_teacher(path: Path) -> Teacher:
    """The model of a folder: runs its model.py, if evonas wrote that.

    A process reads it once, unless its weights are replaced.

    Raises:
        SettingsError: There is none, its weights are not trained, or a file is not as it was
            written.
    """
    weights = path / WEIGHTS
    return _read(path, weights.stat().st_mtime_ns if weights.exists() else 0)


@lru_cache(maxsize=2)
def _read(path: Path, changed_ns: int) -> Teacher:
    if not path.exists() and path.name in presets():
        raise SettingsError(
            f"{WORD}={path.name}: evonas knows the published {path.name}, but has no weights of "
            f"it. Write {WORD}=DIR, a model folder that evonas retrain has trained."
        )
    try:
        folder = ModelFolder.open(path, (SOURCE, WEIGHTS))
        network = folder.trained().network
        if not folder.has_fresh_weights:
            folder.check_statistics()
    except EvonasError as error:
        raise SettingsError([f"{WORD}={path}: {problem}" for problem in error.problems]) from None
    _check_trained(folder)
    recipe = folder.recipe
    key = key_of([*(checksum(folder.read(name)) for name in (SOURCE, WEIGHTS)), recipe.interface])
    return Teacher(network, recipe.problem, recipe.input.resolution_px, key)


def _check_trained(folder: ModelFolder) -> None:
    """An export at full scale has fresh weights until it is retrained; one of no data too."""
    if folder.has_fresh_weights:
        raise SettingsError(
            f"{WORD}={folder.path}: its weights are fresh, so there is nothing to learn from it. "
            f"Train it first by evonas retrain {folder.path}."
        )


def _misfit(own: Problem, problem: Problem) -> str | None:
    """Why a model for one problem cannot teach another, in words."""
    if own.task != problem.task:
        return f"the model is for {own.task}, and the data are for {problem.task}."
    if own.channels != problem.channels:
        return f"the model takes {own.channels} channel(s), and the images have {problem.channels}."
    if own.classes != problem.classes:
        return (
            f"the model knows {told_classes(own.classes)}, and the data have "
            f"{told_classes(problem.classes)}. Give a model that was trained for the same classes."
        )
    return None
