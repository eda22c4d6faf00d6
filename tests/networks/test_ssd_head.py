"""Boxes of fixed sizes on each level."""

from typing import Any

import pytest
from detectors import plan, ssd

from evonas.errors import BuildError, SpaceError
from evonas.networks import meaning, short
from evonas.networks.detector.ssd_head import NUMBERS_OF_BOXES, default_sizes
from evonas.networks.plan import IMAGES
from evonas.presets import preset
from evonas.space.check import check_space
from evonas.space.document import document_of
from evonas.space.load import space_of

SSD300 = (4, 6, 6, 6, 4, 4)


def test_scales_lie_evenly_between_two_ends() -> None:
    sizes = default_sizes((0.2, 0.9), SSD300)
    assert [len(level) for level in sizes] == [*SSD300]
    squares = [(level[0], level[1]) for level in sizes]
    assert [round(300 * side) for (side, _), _ in squares] == [60, 102, 144, 186, 228, 270]
    assert [round(side, 3) for _, (side, _) in squares] == [
        0.261,
        0.404,
        0.546,
        0.686,
        0.827,
        0.967,
    ]
    assert all(width == height for pair in squares for width, height in pair)


def test_boxes_are_wide_and_high_by_their_ratios() -> None:
    (level,) = default_sizes((0.2, 0.8), (6,))
    ratios = [width / height for width, height in level]
    assert ratios == pytest.approx([1, 1, 2, 1 / 2, 3, 1 / 3], rel=1e-4)
    areas = [width * height for width, height in level]
    assert areas == pytest.approx([0.04, 0.2 * 0.8, *[0.04] * 4], rel=1e-4)


def test_it_has_a_prediction_for_each_level_and_no_distances() -> None:
    found = plan(ssd(), px=48)
    assert found.outputs == ("boxes", "logits", "priors")
    assert found.deployed == ("boxes", "scores")
    parts = {part.name: part for part in found.parts}
    assert parts["priors"].reads == (IMAGES, "normed_1", "layer_4", "extra_3", "extra_4")
    made = [parts[f"class_{number}"].layers[0].arguments for number in (1, 2, 3, 4)]
    assert [each["out_channels"] for each in made] == [16, 24, 24, 16]  # three classes and none
    assert {each["kernel"] for each in made} == {3}
    assert parts["box_4"].layers[0].arguments["out_channels"] == 16


def test_ssd300_is_published_with_8732_boxes() -> None:
    boxes = preset("ssd300_vgg16_voc").blueprint.network["head"]["boxes"]
    sizes = default_sizes((0.2, 0.9), NUMBERS_OF_BOXES[boxes])
    sides = (38, 19, 10, 5, 3, 1)
    assert sum(f**2 * len(level) for f, level in zip(sides, sizes, strict=True)) == 8732


def test_what_it_does_not_take_is_not_said() -> None:
    one = ssd(head={"kind": "ssd"})
    other = ssd(head={"kind": "ssd", "boxes": 6, "scales": [0.2, 0.9], "bins": 4, "depth": 3})
    assert meaning(one) == meaning(other)
    assert short(ssd())["head"] == {"kind": "ssd", "boxes": [4, 6, 6, 4]}


def test_numbers_for_other_levels_are_told() -> None:
    with pytest.raises(BuildError, match=r"head\.boxes has 3 numbers, and there are 4 levels"):
        plan(ssd(head={"kind": "ssd", "boxes": [4, 6, 4]}), px=48)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, ""),
        ({"boxes": {"choice": [4, 6]}}, ""),
        ({"boxes": 5}, "head.boxes: 5 is not a number of boxes in a cell. Write 4 or 6."),
        ({"boxes": [4, 6]}, "head.boxes has 2 numbers, and there are 4 levels."),
        ({"scales": [0.9, 0.2]}, "head.scales: [0.9, 0.2] are no scales."),
        ({"scales": 0.2}, "head.scales: 0.2 are no scales."),
        ({"bins": 8}, "head.bins: a head of kind ssd takes no bins."),
    ],
)
def test_what_is_wrong_is_told_before_a_search(changes: dict[str, Any], said: str) -> None:
    scales = {name: {"resolution_px": 48} for name in ("proxy", "full")}
    network = ssd(head={"kind": "ssd", **changes}, activation={"choice": ["relu", "swish"]})
    space = space_of(document_of({"scales": scales, "network": network}, "mine"))
    if not said:
        return check_space(space)
    with pytest.raises(SpaceError) as error:
        check_space(space)
    return None if said in str(error.value) else pytest.fail(str(error.value))
