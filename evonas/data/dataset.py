"""Images and targets in memory, split three ways."""

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evonas.errors import DataError
from evonas.networks.problem import Problem

Images = NDArray[np.uint8]  # (images, channels, height, width)
Targets = NDArray[Any]  # (images, ...); of what, the task says
Groups = NDArray[np.int64]  # (images,)


@dataclass(frozen=True)
class Split:
    """Images (count, channels, height, width), 0..255, and their targets (count, ...).

    `groups` (count,) numbers the group of each image, of which every part of a split gets its
    share; None: targets are classes (count,), and classes are the groups.
    """

    images: Images
    targets: Targets
    groups: Groups | None = None

    def __len__(self) -> int:
        return len(self.images)

    @property
    def strata(self) -> Groups:
        """The group of each image, (count,)."""
        return self.targets if self.groups is None else self.groups

    def part(self, chosen: NDArray[Any]) -> "Split":
        """The images that a mask (count,) or indices choose."""
        groups = None if self.groups is None else self.groups[chosen]
        return Split(self.images[chosen], self.targets[chosen], groups)


@dataclass(frozen=True)
class Fault:
    """What is wrong with labels: its kind in words, how often, and the first places.

    `stops`: no search goes on with it.
    """

    kind: str
    count: int
    places: tuple[str, ...]
    stops: bool = False


class LabelFaults(DataError):
    """Labels that cannot be used, with all that is wrong with them.

    Args:
        problems: As `EvonasError`.
        faults: Every kind that was found, those that stop no search as well.
    """

    def __init__(self, problems: Iterable[str], faults: tuple[Fault, ...]) -> None:
        super().__init__(problems)
        self.faults = faults

    def __reduce__(self) -> tuple[type, tuple[list[str], tuple[Fault, ...]]]:
        return type(self), (self.problems, self.faults)


@dataclass(frozen=True)
class Dataset:
    """A data set at one resolution.

    A search trains on `train` and looks at `validation`; `test` is for the retrained winner
    alone. `left_out` says in words which files could not be read, `faults` what was wrong with
    labels. `content` is a key of all images and targets, wherever they lie; empty: not known.
    """

    problem: Problem
    train: Split
    validation: Split
    test: Split
    left_out: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    content: str = ""

    @property
    def development(self) -> Split:
        """Training and validation images together: what a final training may use."""
        parts = (self.train, self.validation)
        images = np.concatenate([part.images for part in parts])
        targets = np.concatenate([part.targets for part in parts])
        groups = [part.groups for part in parts if part.groups is not None]
        return Split(images, targets, np.concatenate(groups) if groups else None)

    @property
    def parts(self) -> tuple[Split, Split, Split]:
        """Images to train, validate and test."""
        return self.train, self.validation, self.test


@dataclass(frozen=True)
class Source:
    """All images that a data set has, before it is split; None: the set has no such part.

    `left_out`: what could not be read, in words; `faults`: what is wrong with labels.
    """

    classes: tuple[str, ...]
    development: Split
    test: Split | None
    validation: Split | None = None
    left_out: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()


FEWEST = 3  # images a class needs so that each part of the split has one
COUNTED_AT_ONCE = 1_000  # images
TEST_SHARE = 0.2
SPLIT_SEED = 20_240_229  # part of what a result means: never changes


def split_source(source: Source, task: str, validation_share: float, subset: int | None) -> Dataset:
    """The fixed, stratified three-way split; parts that the set itself has are taken as they are.

    Args:
        task: What the targets are for.
        subset: Keeps that many of the images that are not of a part which the set has.

    Raises:
        DataError: The subset is so small that a class is missing in a part.
    """
    rng = np.random.default_rng(SPLIT_SEED)
    development, test = source.development, source.test
    if test is None:
        test, development = stratified(development, TEST_SHARE, rng)
    if subset is not None and subset < len(development):
        _check_subset(development.strata, subset, 1 if source.validation else 2)
        development, _ = stratified(development, subset / len(development), rng)
    validation, train = source.validation, development
    if validation is None:
        validation, train = stratified(development, validation_share, rng)
    problem = Problem(task, train.images.shape[1], source.classes, *statistics(train.images))
    return Dataset(problem, train, validation, test, source.left_out, source.faults)


def _check_subset(groups: Groups, subset: int, fewest: int) -> None:
    """Raises a DataError if the subset has fewer images of a class than the parts need."""
    counts = np.unique(groups, return_counts=True)[1].tolist()

    def suffices(size: int) -> bool:
        return all(_taken(count, size / len(groups)) >= fewest for count in counts)

    if not suffices(subset):
        least = 1 + bisect_left(range(1, len(groups)), True, key=suffices)
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
    """Two parts; each group gives `share` of its images to the first, at least one to each."""
    chosen = np.zeros(len(split), dtype=bool)
    for group in np.unique(split.strata):
        members = rng.permutation(np.flatnonzero(split.strata == group))
        chosen[members[: _taken(len(members), share)]] = True
    return split.part(chosen), split.part(~chosen)


def _taken(count: int, share: float) -> int:
    """Of so many images of a class: at least one, and never all where there are more."""
    return min(max(1, round(share * count)), max(1, count - 1))
