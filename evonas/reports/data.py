"""What a data set was read as, in lines."""

from collections.abc import Iterator, Sequence

import numpy as np

from evonas.data.cache import left_out
from evonas.data.dataset import Dataset
from evonas.settings import DataSettings
from evonas.tasks import task_of

SHOWN = 6  # classes that are counted one by one
UNEQUAL = 10  # images of the largest class for each of the smallest, beyond which it is told


def data_lines(settings: DataSettings, data: Dataset) -> Iterator[str]:
    """Images by part and class, what was left out, and that classes are very unequal."""
    task, classes = task_of(data.problem), data.problem.classes
    counts = np.stack([task.counts(part.targets, data.problem) for part in data.parts], axis=1)
    order = np.argsort(-counts.sum(1), kind="stable")
    beside = left_out(settings, data)
    rest = f" Left out: {', '.join(beside)}." if beside else ""
    images = "/".join(f"{len(part):,}" for part in data.parts)
    yield (
        f"Data {settings.name}: {len(classes)} classes, {images} images to train, validate and "
        f"test ({_told(classes, counts, order)}).{rest}"
    )
    most, fewest = (int(counts[label].sum()) for label in (order[0], order[-1]))
    if most > UNEQUAL * fewest:
        yield (
            f"Classes are unequal: {classes[order[0]]} has {most:,} images, "
            f"{classes[order[-1]]} {fewest:,}. {task.unequal_classes}"
        )


def _told(classes: Sequence[str], counts: np.ndarray, order: np.ndarray) -> str:
    def told(label: int) -> str:
        return f"{classes[label]} {'/'.join(f'{count:,}' for count in counts[label])}"

    if len(order) <= SHOWN:
        return ", ".join(told(label) for label in range(len(order)))
    return f"from {told(order[-1])} to {told(order[0])}"
