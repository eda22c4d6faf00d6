"""What a task is: all that depends on what is learnt from images."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from numpy.typing import NDArray

from evonas.data.dataset import Images, Targets
from evonas.data.frame import Fit, Frame
from evonas.errors import SettingsError
from evonas.networks.problem import Problem
from evonas.settings import TrainingSettings

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Generator, Tensor
    from torch.nn import Module

Outputs = tuple["Tensor", ...]  # of a network, in the order of its plan
Batches = Iterable[tuple[Outputs, "Tensor"]]  # outputs and targets
Loss = Callable[[Outputs, "Tensor"], "Tensor"]  # of outputs and targets: one number to make small

Shapes = Sequence[tuple[int, ...]]  # of outputs

LOSS = "loss"  # the measure that every task has


@dataclass(frozen=True)
class Score:
    """A number that says how well a trained network does.

    `title` is what it is called in sentences; empty: none tells it. No value is outside `bounds`.
    """

    direction: Literal["maximise", "minimise"]
    title: str = ""
    unit: str = ""
    bounds: tuple[float, float] = (0, math.inf)


class Task(ABC):
    """What is learnt from images.

    Targets are an array whose first axis is the image, so that they are cached, shuffled and cut
    into batches as the images are. The module of a task loads without torch: its methods import
    what computes when they are called.

    Attributes:
        measures: What `scores` gives, the main one first. A measure of one name is the same in
            all tasks that have it; all have `loss`.
        space, data: For where none is named: a search space, and a data set that runs anywhere.
        networks: The task that grammars name whose networks give what this task takes.
        recipe: What a training of this task does where nobody says.
        settings: Training settings that not every task knows, and this one does. A task refuses
            those that only others have here.
        tuned: Training settings that `evonas tune` tunes where nobody names any.
        counted: What `counts` counts, in a word.
        unequal_classes: What to do about them, in a sentence or two.
        draws: Whether `drawn` and `examples` give pictures.
        fit: How a picture of any size becomes a square.
        tolerance: The largest difference between the outputs of a network and those of the forms
            that it is exported to, relative to the largest output if that is above 1.
    """

    measures: Mapping[str, Score]
    space: str
    data: str
    networks: str = "classification"
    recipe: Mapping[str, Any] = MappingProxyType({})
    settings: frozenset[str] = frozenset()
    tuned: tuple[str, ...] = ("lr_factor", "weight_decay", "momentum", "translate", "scale")
    counted: str = "images"
    unequal_classes: str
    draws: bool = False
    fit: Fit = "crop"
    tolerance: float = 1e-4

    @property
    def main(self) -> str:
        """The measure that a search optimises if nobody names another."""
        return next(iter(self.measures))

    def lack(self) -> str | None:
        """What is not installed that scores need, and what to do about it, in words."""
        return None

    def uninformative(self, problem: Problem) -> Mapping[str, str]:
        """Measures that are the same whatever a network does, with a sentence that says why."""
        return {}

    @abstractmethod
    def wrong(self, targets: Targets, problem: Problem) -> Iterator[str]:
        """What is wrong with targets that a reader gave."""

    @abstractmethod
    def counts(self, targets: Targets, problem: Problem) -> NDArray[Any]:
        """How many images of each class there are, or what `counted` says instead, (classes,)."""

    def class_weights(self, targets: Targets, problem: Problem) -> "Tensor":
        """How much each class counts in the loss, (classes,), if all are to count the same.

        Raises:
            SettingsError: The task cannot weigh classes.
        """
        raise SettingsError(
            f"data.class_weights=balanced has no meaning in {problem.task}. Leave it out."
        )

    def auxiliary_outputs(self, problem: Problem) -> int | None:
        """How many numbers an auxiliary head gives an image, for `loss`; None: there is no head."""
        return None

    @abstractmethod
    def varied(
        self,
        images: "Tensor",
        targets: "Tensor",
        problem: Problem,
        recipe: TrainingSettings,
        done: float,
        generator: "Generator",
    ) -> "tuple[Tensor, Tensor]":
        """A batch as a training sees it: varied as the recipe has it, and normalised.

        A recipe without heuristics draws nothing from the generator.

        Args:
            images: uint8 (batch, channels, height, width). Returned as floats, maybe smaller.
            targets: (batch, ...). Returned as `loss` takes them.
            done: The share of the training that is done, 0..1.
        """

    def adapt(  # noqa: B027 - most tasks have nothing to set
        self, network: "Module", targets: Targets, recipe: TrainingSettings
    ) -> None:
        """Sets in a network what follows from the targets of a training, before that begins.

        The same targets set the same.

        Raises:
            SettingsError: The recipe says what does not fit the network.
        """

    def adapted(self, recipe: TrainingSettings, network: "Module") -> TrainingSettings:
        """The recipe with what `adapt` set, so that a training by it sets the same."""
        return recipe

    def enlarged(self, recipe: TrainingSettings, times: float) -> TrainingSettings:
        """The recipe for images that are so many times as large."""
        return recipe

    def findings(self, targets: Targets, recipe: TrainingSettings) -> Iterator[tuple[str, str]]:
        """What else there is to know of the targets of a training: names and sentences."""
        yield from ()

    @abstractmethod
    def loss(
        self,
        outputs: Outputs,
        targets: "Tensor",
        recipe: TrainingSettings,
        class_weights: "Tensor | None" = None,
    ) -> "Tensor":
        """What a training makes small: one number, the mean over the images.

        Args:
            outputs: float32, of the network, or one of an auxiliary head.
            targets: As the split has them, or as `varied` made them.
        """

    def deception(self, outputs: Outputs, targets: "Tensor", recipe: TrainingSettings) -> "Tensor":
        """What an image is changed to make large that is to deceive the network: its loss.

        Args:
            outputs: float32, of the network in evaluation mode, with all that `loss` takes.
            targets: As `varied` made them.
        """
        return self.loss(outputs, targets, recipe)

    def watched(self, outputs: Outputs, targets: "Tensor") -> "Mapping[str, Tensor]":
        """What a log tells of a training batch beside its loss: how many of how many, (2,)."""
        return {}

    def unteachable(self, outputs: Outputs, taught: Outputs) -> str | None:
        """Why a network with such outputs cannot learn from one that gives `taught`, in words."""
        return "networks of this task do not learn from each other"

    def imitation_loss(
        self, outputs: Outputs, taught: Outputs, temperature: float, recipe: TrainingSettings
    ) -> "Tensor":
        """How far outputs are from those of a teacher: 0 where they are equal.

        Both are divided by the temperature before they become probabilities, and the loss is
        multiplied by its square, so that gradients are as large as without (Hinton et al. 2015,
        arXiv 1503.02531, section 2).

        Args:
            outputs: float32, of the network in a training.
            taught: Of a teacher for the same images, without gradients; see `unteachable`.
        """
        raise NotImplementedError

    def fitted(self, recipe: TrainingSettings, outputs: Sequence[str]) -> TrainingSettings:
        """The recipe with what follows from the outputs that a network gives in a training."""
        return recipe

    def usage(self, recipe: TrainingSettings) -> tuple[str, str]:
        """What model.py is to be asked for beside `load`, and the line that uses the network."""
        return "", "logits = network(images)"

    def unmirrored(self, outputs: Sequence[Any], side_px: int) -> tuple[Any, ...]:
        """Outputs for images and then for their mirror images, the latter turned back.

        With `flip_test`, `scores`, `details`, `predictions` and `examples` get such outputs.

        Args:
            outputs: Of torch or of NumPy, in a training or deployed.
            side_px: The side of the images.
        """
        return tuple(outputs)

    @abstractmethod
    def right_shapes(self, shapes: Shapes, problem: Problem) -> str | None:
        """What outputs for one image have to be, in words; None: they are, if of these shapes."""

    @abstractmethod
    def scores(
        self, batches: Batches, problem: Problem, recipe: TrainingSettings
    ) -> dict[str, float]:
        """All measures over all batches together; a finite loss only if all outputs are finite."""

    def details(
        self, batches: Batches, problem: Problem, recipe: TrainingSettings
    ) -> dict[str, Any]:
        """What there is to know of single classes, as plain values by name.

        `table` has a row for each class. What else the task has, it says itself.
        """
        return {}

    @abstractmethod
    def predictions(
        self,
        outputs: Sequence[NDArray[Any]],
        frames: Sequence[Frame],
        side_px: int,
        problem: Problem,
        recipe: TrainingSettings,
    ) -> list[dict[str, Any]]:
        """What the outputs say of each image, as plain values in words.

        Args:
            outputs: Of the deployed network.
            frames: Which squares of the pictures the images are.
            side_px: The side of the images.
        """

    def drawn(
        self, picture: "Image", prediction: Mapping[str, Any], problem: Problem
    ) -> "Image | None":
        """The picture with the prediction drawn into it; None: there is nothing to draw."""
        return None

    def examples(
        self,
        images: Images,
        targets: Targets,
        outputs: Sequence[NDArray[Any]],
        problem: Problem,
        recipe: TrainingSettings,
    ) -> "Image | None":
        """Images beside each other with what is there and what was found; None: nothing to draw.

        Args:
            images: uint8 (images, channels, height, width).
            outputs: Of the deployed network, for these images.
        """
        return None

    def told(self, prediction: Mapping[str, Any]) -> dict[str, str | float]:
        """A prediction in short: what is a text or a number of it."""
        return {k: value for k, value in prediction.items() if isinstance(value, str | float)}

    @abstractmethod
    def rows(self, prediction: Mapping[str, Any]) -> list[dict[str, Any]]:
        """A prediction as lines of a table: values by column."""


def outputs_of(given: "Tensor | Outputs") -> Outputs:
    """What a network gave, as a tuple also where it has one output."""
    return given if isinstance(given, tuple) else (given,)


def in_words(shapes: Shapes) -> str:
    """Shapes of outputs, for messages."""
    return ", ".join(map(str, shapes))
