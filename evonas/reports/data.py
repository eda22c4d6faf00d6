"""What a data set was read as, in lines."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from evonas.data.cache import left_out
from evonas.data.dataset import Dataset
from evonas.settings import DataSettings
from evonas.tasks import task_of

SHOWN = 6  # classes that are counted one by one
UNEQUAL = 10  # things of the largest class for each of the smallest, beyond which it is told


def data_lines(settings: DataSettings, data: Dataset) -> Iterator[str]:
    """Images by part and class, what was left out, faults, and that classes are very unequal."""
    task, classes = task_of(data.problem), data.problem.classes
    counts = np.stack([task.counts(part.targets, data.problem) for part in data.parts], axis=1)
    order = np.argsort(-counts.sum(1), kind="stable")
    beside = left_out(settings, data)
    rest = f" Left out: {', '.join(beside)}." if beside else ""
    images = f"{_by_part(map(len, data.parts))} images"
    if task.counted == "images":
        what = f"{len(classes)} classes, {images}"
    else:
        what = f"{images} with {_by_part(counts.sum(0))} {task.counted} of {len(classes)} classes"
    told = _told(classes, counts, order)
    yield f"Data {settings.name}: {what} to train, validate and test ({told}).{rest}"
    if data.faults:
        faults = ", ".join(f"{fault.count:,} {fault.kind}" for fault in data.faults)
        yield (
            f"Labels have {faults}. evonas doctor data={settings.name} data.path={settings.path} "
            "says where."
        )
    most, fewest = (int(counts[label].sum()) for label in (order[0], order[-1]))
    if most > UNEQUAL * fewest:
        yield (
            f"Classes are unequal: {classes[order[0]]} has {most:,} {task.counted}, "
            f"{classes[order[-1]]} {fewest:,}. {task.unequal_classes}"
        )


def _by_part(counts: Iterable[int]) -> str:
    return "/".join(f"{count:,}" for count in counts)


def _told(classes: Sequence[str], counts: np.ndarray, order: np.ndarray) -> str:
    def told(label: int) -> str:
        return f"{classes[label]} {_by_part(counts[label])}"

    if len(order) <= SHOWN:
        return ", ".join(told(label) for label in range(len(order)))
    return f"from {told(order[-1])} to {told(order[0])}"
