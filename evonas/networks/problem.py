"""What a data set asks of a network."""

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 10  # classes in a message


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


def told_classes(classes: Sequence[str]) -> str:
    """Classes in words, for messages.

    >>> told_classes(["cat", "dog"])
    '2 classes (cat, dog)'
    """
    more = ", ..." if len(classes) > SHOWN else ""
    return f"{len(classes)} classes ({', '.join(classes[:SHOWN])}{more})"
