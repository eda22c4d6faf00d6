"""Images and labels in memory, split three ways."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    """

    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

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
    """All images that a data set has, before it is split; None: the set has no test part."""

    classes: tuple[str, ...]
    development: Split
    test: Split | None


FEWEST = 3  # images a class needs so that each part of the split has one
COUNTED_AT_ONCE = 1_000  # images
TEST_SHARE = 0.2
SPLIT_SEED = 20_240_229  # part of what a result means: never changes


def split_source(source: Source, validation_share: float, subset: int | None) -> Dataset:
    """The fixed, stratified three-way split; `subset` keeps that many development images."""
    rng = np.random.default_rng(SPLIT_SEED)
    development, test = source.development, source.test
    if test is None:
        test, development = stratified(development, TEST_SHARE, rng)
    if subset is not None and subset < len(development):
        development, _ = stratified(development, subset / len(development), rng)
    validation, train = stratified(development, validation_share, rng)
    return Dataset(source.classes, train, validation, test, *statistics(train.images))


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
        count = min(max(1, round(share * len(members))), max(1, len(members) - 1))
        chosen[members[:count]] = True
    return Split(split.images[chosen], split.labels[chosen]), Split(
        split.images[~chosen], split.labels[~chosen]
    )
