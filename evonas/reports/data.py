"""What a data set was read as, in lines."""

from collections.abc import Iterator

import numpy as np

from evonas.data.cache import left_out
from evonas.data.dataset import Dataset
from evonas.settings import DataSettings

SHOWN = 6  # classes that are counted one by one
UNEQUAL = 10  # images of the largest class for each of the smallest, beyond which it is told


def data_lines(settings: DataSettings, data: Dataset) -> Iterator[str]:
    """Images by part and class, what was left out, and that classes are very unequal."""
    counts = _counts(data)
    parts = "/".join(f"{count:,}" for count in counts.sum(0))
    order = np.argsort(-counts.sum(1), kind="stable")
    beside = left_out(settings, data)
    rest = f" Left out: {', '.join(beside)}." if beside else ""
    yield (
        f"Data {settings.name}: {len(data.classes)} classes, {parts} images to train, validate and "
        f"test ({_classes(data, counts, order)}).{rest}"
    )
    most, fewest = (int(counts[label].sum()) for label in (order[0], order[-1]))
    if most > UNEQUAL * fewest:
        yield (
            f"Classes are unequal: {_name(data, order[0])} has {most:,} images, "
            f"{_name(data, order[-1])} {fewest:,}. Accuracy misleads then: ask for "
            "balanced_accuracy, or let classes count the same by data.class_weights=balanced."
        )


def _counts(data: Dataset) -> np.ndarray:
    """Images (classes, parts)."""
    parts = (data.train, data.validation, data.test)
    return np.stack(
        [np.bincount(part.labels, minlength=len(data.classes)) for part in parts], axis=1
    )


def _classes(data: Dataset, counts: np.ndarray, order: np.ndarray) -> str:
    def told(label: int) -> str:
        return f"{_name(data, label)} {'/'.join(f'{count:,}' for count in counts[label])}"

    if len(order) <= SHOWN:
        return ", ".join(told(label) for label in range(len(order)))
    return f"from {told(order[-1])} to {told(order[0])}"


def _name(data: Dataset, label: int) -> str:
    return data.classes[label]
