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
    values = train.images.astype(np.float32) / 255
    mean = values.mean((0, 2, 3))
    deviation = np.maximum(values.std((0, 2, 3)), 1e-3)
    return Dataset(
        source.classes,
        train,
        validation,
        test,
        tuple(float(value) for value in mean),
        tuple(float(value) for value in deviation),
    )


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
