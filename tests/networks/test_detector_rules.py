"""What is wrong with a detector is told with its place and what would be right."""

from typing import Any

import pytest
from detectors import detector, stage

from evonas.errors import SpaceError
from evonas.space.check import check_space
from evonas.space.document import document_of
from evonas.space.load import space_of

BACKBONE = detector()["backbone"]


def checked(**changes: Any) -> list[str]:
    """What is wrong, without the name of the file."""
    scales = {name: {"resolution_px": 64} for name in ("proxy", "full")}
    values = {"scales": scales, "network": detector(**changes)}
    values["network"]["activation"] = {"choice": ["relu", "swish"]}
    try:
        check_space(space_of(document_of(values, "mine")))
    except SpaceError as error:
        return [problem.removeprefix("mine, network.") for problem in error.problems]
    return []


def test_a_detector_that_says_what_it_needs_is_right() -> None:
    assert checked() == []
    assert checked(neck={"width": 8, "kind": {"choice": ["none", "pan"]}, "fusion": "add"}) == []


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"levels": 7}, "levels: 7 is beyond a number of levels. Write a whole number of at most 6."),
    ({"levels": 0}, "levels: 0 is not a number of levels. Write a whole number of at least 1."),
    (
        {"levels": {"choice": [2, 4]}},
        "levels: the stages have maps of 3 strides, and 4 are asked for. Write at most 3, or give "
        "more stages a stride above 1.",
    ),
    ({"neck": {}}, "neck: the key width is missing."),
    ({"neck": {"width": 8, "kind": "fpm"}}, 'neck.kind: There is no neck called "fpm". Did you'),
    ({"neck": {"width": 8, "fusion": "sum"}}, 'neck.fusion: There is no fusion called "sum".'),
    ({"neck": {"width": 8, "deph": 1}}, 'neck.deph: there is no key "deph" here. Did you mean'),
    ({"neck": {"width": 8, "kernel": 4}}, "neck.kernel: 4 is not a kernel that keeps the map's"),
    ({"neck": {"width": 0}}, "neck.width: 0 is not a number of channels."),
    ({"neck": {"width": 8, "spp": "yes"}}, "neck.spp: yes is neither true nor false."),
    (
        {"neck": {"width": 8, "kind": "none", "fusion": "add"}},
        "neck.fusion: a neck of kind none takes no fusion. Leave it out, or write kind: fpn or pan",
    ),
    ({"head": {"depth": -1}}, "head.depth: -1 is not a number of blocks. Write a whole number"),
    ({"head": {"bins": 0}}, "head.bins: 0 is not a number of bins."),
    ({"head": {"kind": "anchors"}}, 'head.kind: There is no head called "anchors".'),
    ({"head": {"one_to_one": 1}}, "head.one_to_one: 1 is neither true nor false."),
    (
        {"backbone": {**BACKBONE, "head": {"channels": 0}}},
        'backbone.head: there is no key "head" here.',
    ),
    (
        {"backbone": {**BACKBONE, "stages": [stage(8), stage(16), {**stage(8), "kernel": 2}]}},
        "backbone.stages.2.kernel: 2 is not a kernel",
    ),
    (
        {
            "backbone": {
                **BACKBONE,
                "stages": [stage(8), stage(8, operation="residual", mid_ratio=0)],
            }
        },
        "backbone.stages.1.mid_ratio: residual needs a mid_ratio above 0.",
    ),
    ({"norm_eps": 2}, "norm_eps: 2 is not what a norm adds to a variance."),
]


@pytest.mark.parametrize(("changes", "said"), WRONG)
def test_what_is_wrong_is_told(changes: dict[str, Any], said: str) -> None:
    assert any(problem.startswith(said) for problem in checked(**changes)), checked(**changes)


def test_a_scale_that_the_strides_do_not_divide_is_told() -> None:
    scales = {"proxy": {"resolution_px": 64}, "full": {"resolution_px": 72}}
    with pytest.raises(SpaceError, match=r"scales\.full\.resolution_px: An input of 72 px is no"):
        check_space(space_of(document_of({"scales": scales, "network": detector()}, "mine")))


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"anchors": 2, "anchor_sizes": [[10, 13]] * 4}, None),
        ({"grid_sensitivity": [1.2, 1.1]}, None),
        ({"grid_sensitivity": {"choice": [1.0, 1.1]}}, None),
        ({"anchor_sizes": [[10, 0]]}, "head.anchor_sizes: [[10, 0]] is not a list of anchors."),
        ({"anchor_sizes": 3}, "head.anchor_sizes: 3 is not a list of anchors."),
        ({"grid_sensitivity": [1.2, 3]}, "head.grid_sensitivity: 3 is not a grid sensitivity."),
        ({"anchors": 0}, "head.anchors: 0 is not a number of anchors."),
        ({"settling": 9}, "head.settling: a head of kind yolov3 takes no settling. Leave it out"),
        ({"bins": 8}, "head.bins: a head of kind yolov3 takes no bins."),
    ],
)
def test_heads_with_anchors_have_keys_of_their_own(keys: dict[str, Any], told: str | None) -> None:
    problems = checked(head={"kind": "yolov3", **keys})
    assert [problem[: len(told or "")] for problem in problems] == ([told] if told else [])
