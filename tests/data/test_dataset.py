import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.data.dataset import Source, Split, split_source, stratified

property_test = settings(deadline=None, derandomize=True, max_examples=60)
class_sizes = st.lists(st.integers(3, 60), min_size=2, max_size=5)


def numbered(sizes: list[int]) -> Split:
    """One image a label, with its own number in two pixels, in mixed order."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    numbers = np.arange(len(labels))
    pixels = np.stack([numbers // 256, numbers % 256], axis=1).astype(np.uint8)
    return Split(pixels.reshape(-1, 1, 1, 2), labels.astype(np.int64))


def numbers_of(split: Split) -> set[int]:
    high, low = split.images.reshape(-1, 2).astype(int).T
    return set(high * 256 + low)


def source(sizes: list[int], test: Split | None = None) -> Source:
    return Source(tuple("abcde"[: len(sizes)]), numbered(sizes), test)


@property_test
@given(class_sizes, st.floats(0.05, 0.95))
def test_the_parts_are_disjoint_and_hold_every_image_with_its_label(
    sizes: list[int], validation_share: float
) -> None:
    whole = numbered(sizes)
    dataset = split_source(source(sizes), "classification", validation_share, subset=None)
    parts = [dataset.train, dataset.validation, dataset.test]
    found = [numbers_of(part) for part in parts]
    assert sum(map(len, found)) == len(set.union(*found)) == len(whole)
    for part in parts:
        own = (part.images.reshape(-1, 2).astype(int) @ [256, 1]).astype(int)
        assert np.array_equal(whole.targets[own], part.targets)


@property_test
@given(class_sizes, st.floats(0.05, 0.95))
def test_each_class_gives_its_share_and_is_in_every_part(sizes: list[int], share: float) -> None:
    first, rest = stratified(numbered(sizes), share, np.random.default_rng(0))
    for label, size in enumerate(sizes):
        given_away = int((first.targets == label).sum())
        assert abs(given_away - share * size) <= 1
        assert 0 < given_away < size
        assert int((rest.targets == label).sum()) == size - given_away


def test_the_split_is_the_same_every_time_and_does_not_follow_the_global_generator() -> None:
    first = split_source(source([20, 30]), "classification", 0.4, None)
    np.random.seed(1)
    second = split_source(source([20, 30]), "classification", 0.4, None)
    for one, other in zip(
        (first.train, first.validation, first.test),
        (second.train, second.validation, second.test),
        strict=True,
    ):
        assert np.array_equal(one.images, other.images)


def test_neither_subset_nor_validation_share_moves_images_into_the_test_part() -> None:
    tests = [
        numbers_of(split_source(source([40, 60]), "classification", share, subset).test)
        for share, subset in [(0.4, None), (0.1, None), (0.4, 30)]
    ]
    assert tests[0] == tests[1] == tests[2]


def test_a_test_part_of_the_source_is_kept_whole() -> None:
    own = Split(np.full((4, 1, 1, 2), 255, np.uint8), np.array([0, 0, 1, 1]))
    dataset = split_source(source([10, 10], own), "classification", 0.5, None)
    assert dataset.test is own
    assert len(dataset.train) + len(dataset.validation) == 20


@pytest.mark.parametrize("subset", [10, 25, 59])
def test_a_subset_keeps_that_many_development_images_of_all_classes(subset: int) -> None:
    dataset = split_source(source([25, 50]), "classification", 0.4, subset)
    assert len(dataset.train) + len(dataset.validation) == pytest.approx(subset, abs=1)
    assert set(dataset.train.targets) == set(dataset.validation.targets) == {0, 1}


def test_a_subset_beyond_the_set_keeps_all_of_it() -> None:
    assert len(split_source(source([10, 10]), "classification", 0.4, 10_000).development) == 16


def test_mean_and_deviation_are_those_of_the_training_images_alone() -> None:
    dataset = split_source(source([30, 30]), "classification", 0.4, None)
    values = dataset.train.images.astype(float) / 255
    assert dataset.problem.mean == pytest.approx([values.mean()])
    assert dataset.problem.deviation == pytest.approx([values.std()])


def test_images_of_one_shade_have_a_deviation_to_divide_by() -> None:
    plain = Split(np.zeros((8, 3, 2, 2), np.uint8), np.array([0, 1] * 4))
    dataset = split_source(Source(("a", "b"), plain, None), "classification", 0.5, None)
    assert dataset.problem.deviation == pytest.approx((1e-3,) * 3)


def test_development_is_training_and_validation_together() -> None:
    dataset = split_source(source([10, 10]), "classification", 0.4, None)
    assert numbers_of(dataset.development) == numbers_of(dataset.train) | numbers_of(
        dataset.validation
    )
    assert len(dataset.development.targets) == 16
