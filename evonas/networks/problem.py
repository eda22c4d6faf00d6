"""What a data set asks of a network."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What is to be learnt, from which images.

    `task` is a name in `tasks.TASKS`, `classes` are names, which targets count from 0. `mean` and
    `deviation` are those of the training images, per channel, of 0..1 values.
    """

    task: str
    channels: int
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
