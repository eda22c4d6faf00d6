"""Images and labels in memory, split three ways."""

from bisect import bisect_left
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evonas.errors import DataError

Images = NDArray[np.uint8]  # (images, channels, height, width)
Labels = NDArray[np.int64]  # (images,)


@dataclass(frozen=True)
class Split:
    """Images (count, channels, height, width), 0..255, and their labels (count,)."""

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Dataset:
    """A data set at one resolution.

    A search trains on `train` and looks at `validation`; `test` is for the retrained winner
    alone. `mean` and `deviation` are those of the training images, per channel, of 0..1 values.
    `left_out` says in words which files could not be read. `content` is a key of all images and
    labels, wherever they lie; empty: not known.
    """

    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    left_out: tuple[str, ...] = ()
    content: str = ""

    @property
    def channels(self) -> int:
        """1 for grey images, 3 for colour."""
        return int(self.train.images.shape[1])

    @property
    def development(self) -> Split:
        """Training and validation images together: what a final training may use."""
        parts = (self.train, self.validation)
        images = np.concatenate([part.images for part in parts])
        return Split(images, np.concatenate([part.labels for part in parts]))


@dataclass(frozen=True)
class Source:
    """All images that a data set has, before it is split; None: the set has no such part.

    `left_out`: what could not be read, in words.
    """

    classes: tuple[str, ...]
    development: Split
    test: Split | None
    validation: Split | None = None
    left_out: tuple[str, ...] = ()


FEWEST = 3  # images a class needs so that each part of the split has one
COUNTED_AT_ONCE = 1_000  # images
TEST_SHARE = 0.2
SPLIT_SEED = 20_240_229  # part of what a result means: never changes


def split_source(source: Source, validation_share: float, subset: int | None) -> Dataset:
    """The fixed, stratified three-way split; parts that the set itself has are taken as they are.

    Args:
        subset: Keeps that many of the images that are not of a part which the set has.

    Raises:
        DataError: The subset is so small that a class is missing in a part.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    development, test = source.development, source.test
    if test is None:
        test, development = stratified(development, TEST_SHARE, rng)
    if subset is not None and subset < len(development):
        _check_subset(development.labels, subset, 1 if source.validation else 2)
        development, _ = stratified(development, subset / len(development), rng)
    validation, train = source.validation, development
    if validation is None:
        validation, train = stratified(development, validation_share, rng)
    mean, deviation = statistics(train.images)
    return Dataset(source.classes, train, validation, test, mean, deviation, source.left_out)


def _check_subset(labels: Labels, subset: int, fewest: int) -> None:
    """Raises a DataError if the subset has fewer images of a class than the parts need."""
    counts = np.unique(labels, return_counts=True)[1].tolist()

    def suffices(size: int) -> bool:
        return all(_taken(count, size / len(labels)) >= fewest for count in counts)

    if not suffices(subset):
        least = 1 + bisect_left(range(1, len(labels)), True, key=suffices)
        raise DataError(
            f"data.subset={subset} leaves a part of the split without images of some class. The "
            f"least that works is data.subset={least}."
        )


def statistics(images: Images) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation of each channel, of values scaled to 0..1; no deviation is below 0.001.

    They come from exact counts of the 256 levels, so neither order nor memory matters.
    """
    counts = np.zeros((images.shape[1], 256), dtype=np.int64)
    for start in range(0, len(images), COUNTED_AT_ONCE):
        for channel, own in enumerate(counts):
            values = images[start : start + COUNTED_AT_ONCE, channel]
            own += np.bincount(values.ravel(), minlength=256)
    levels, shares = np.arange(256) / 255, counts / counts.sum(1, keepdims=True)
    means = shares @ levels
    variances = (shares * (levels - means[:, None]) ** 2).sum(1)
    return tuple(means.tolist()), tuple(np.maximum(np.sqrt(variances), 1e-3).tolist())


def stratified(split: Split, share: float, rng: np.random.Generator) -> tuple[Split, Split]:
    """Two parts; each class gives `share` of its images to the first, at least one to each."""
    chosen = np.zeros(len(split), dtype=bool)
    for label in np.unique(split.labels):
        members = rng.permutation(np.flatnonzero(split.labels == label))
        chosen[members[: _taken(len(members), share)]] = True
    return Split(split.images[chosen], split.labels[chosen]), Split(
        split.images[~chosen], split.labels[~chosen]
    )


def _taken(count: int, share: float) -> int:
    """Of so many images of a class: at least one, and never all where there are more."""
    return min(max(1, round(share * count)), max(1, count - 1))
