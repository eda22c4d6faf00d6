from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.blueprint import Blueprint, network_key
from evonas.errors import BuildError
from evonas.key import key_of
from evonas.networks import Scale, aligned, meaning, scaled, short, tidied
from evonas.networks.cells.graph import Graph, Node
from evonas.networks.cells.section import MASK, UNUSED, cell_graph, state_name

CIFAR = Scale("full", resolution_px=32, filters=16, repeats=(2, 2, 2))
IMAGENET = replace(CIFAR, resolution_px=224, stem="imagenet")

property_test = settings(deadline=None, derandomize=True, max_examples=60)


def block(
    left: int, right: int, combine: str = "add", operation: str = "conv_3x3"
) -> dict[str, Any]:
    return {
        "left": {"operation": operation, "state": left},
        "right": {"operation": "max_pool_3x3", "state": right},
        "combine": combine,
    }


def cell(
    *blocks: dict[str, Any], output: Any = UNUSED, out: tuple[int, ...] = ()
) -> dict[str, Any]:
    """A cell of blocks; `out` are the states that its mask lets out."""
    mask = {state_name(state): state in out for state in range(2 + len(blocks))}
    return {"blocks": list(blocks), "output": output, **({"mask": mask} if output == MASK else {})}


def network(
    normal: dict[str, Any] | None = None, assembly: str = "nasnet", **more: Any
) -> dict[str, Any]:
    plain = cell(block(0, 1), block(2, 0), block(1, 1))
    cells = {"normal": normal or plain, "reduction": plain}
    return {"builder": "cells", "assembly": assembly, "activation": "relu", **cells, **more}


CHAIN = (block(0, 1), block(2, 0), block(1, 1))  # the states 3 and 4 are not read


def test_outputs_that_are_the_unused_states_have_one_meaning() -> None:
    ways = [
        cell(*CHAIN),
        cell(*CHAIN, output=[3, 4]),
        cell(*CHAIN, output=[4, 3]),
        cell(*CHAIN, output=MASK, out=(3, 4)),
    ]
    assert {cell_graph(written).outputs for written in ways} == {(3, 4)}
    assert len({key_of(meaning(tidied(network(written))[0])) for written in ways}) == 1
    assert all(tidied(network(written))[1] == () for written in ways)


@pytest.mark.parametrize(
    "written",
    [cell(*CHAIN, output=[1, 3]), cell(*CHAIN, output=MASK, out=(1, 3))],
    ids=["list", "mask"],
)
def test_a_list_of_outputs_is_written_as_a_mask(written: dict[str, Any]) -> None:
    tidy, repairs = tidied(network(written))
    assert tidy["normal"] == cell(*CHAIN, output=MASK, out=(1, 3))
    assert list(tidy["normal"]["mask"]) == [f"state_{state}" for state in range(5)]
    assert repairs == ()
    assert cell_graph(tidy["normal"]).outputs == (1, 3)


def test_a_mask_that_says_nothing_of_a_state_keeps_it_inside() -> None:
    short = {**cell(*CHAIN), "output": MASK, "mask": {"state_3": True}}
    assert cell_graph(short).outputs == (3,)


def test_a_mask_that_lets_nothing_out_is_repaired_and_told() -> None:
    tidy, repairs = tidied(network(cell(*CHAIN, output=MASK)))
    assert tidy["normal"] == cell(*CHAIN, output=MASK, out=(3, 4))
    assert repairs == ("normal.mask: no state goes out, so the unused ones do",)
    both = {**network(cell(*CHAIN, output=MASK)), "reduction": cell(*CHAIN, output=MASK)}
    assert [sentence.split(".")[0] for sentence in tidied(both)[1]] == ["normal", "reduction"]


def test_a_cell_as_a_graph() -> None:
    written = cell(block(1, 0), block(2, 1, "concat"), output=[2, 3])
    nodes = (
        Node((("conv_3x3", 1), ("max_pool_3x3", 0)), "add"),
        Node((("conv_3x3", 2), ("max_pool_3x3", 1)), "concat"),
    )
    assert cell_graph(written) == Graph(2, nodes, (2, 3))


@pytest.mark.parametrize(
    ("key", "default", "other"),
    [("norm", "batch", "group"), ("initialisation", "auto", "lecun"), ("drop_path", 0.0, 0.3)],
)
def test_what_is_meant_anyway_need_not_be_said(key: str, default: Any, other: Any) -> None:
    plain = network()
    said, changed = {**plain, key: default}, {**plain, key: other}
    assert short(said) == short(plain) != short(changed)
    assert meaning(said) == meaning(plain) != meaning(changed)
    keys = [network_key(Blueprint(each), CIFAR) for each in (plain, said, changed)]
    assert keys[0] == keys[1] != keys[2]
    assert tidied(said)[0][key] == default
    assert aligned(plain, {**plain, key: {"choice": [other, default]}}) == said


def test_each_part_of_the_section_is_part_of_its_meaning() -> None:
    plain = network()
    changed = [
        {**plain, "assembly": "darts"},
        {**plain, "activation": "relu6"},
        {**plain, "normal": cell(*CHAIN[:2])},
        {**plain, "reduction": cell(*CHAIN[:2])},
    ]
    prints = {Blueprint(written).fingerprint for written in (plain, *changed)}
    assert len(prints) == 5


def test_cells_that_differ_in_the_order_of_sides_and_blocks_are_one_design() -> None:
    one = cell(block(0, 1), block(1, 1), block(2, 3))
    swapped = [{**each, "left": each["right"], "right": each["left"]} for each in one["blocks"]]
    other = cell(swapped[1], swapped[0], block(3, 2))
    designs = [Blueprint(network(written)) for written in (one, other)]
    assert designs[0].fingerprint == designs[1].fingerprint
    assert network_key(designs[0], CIFAR) == network_key(designs[1], CIFAR)


def test_blocks_that_nothing_reads_are_not_built() -> None:
    sized = scaled(network(cell(*CHAIN, output=[4])), CIFAR)
    assert sized["normal"]["nodes"] == [
        {"terms": [["conv_3x3", 1], ["max_pool_3x3", 1]], "combine": "add"}
    ]
    assert sized["normal"]["outputs"] == [2]


def test_a_scaled_network_says_all_that_is_built() -> None:
    sized = scaled(network(), replace(IMAGENET, far_input=True, stem_channels=24, classes=7))
    assert (sized["input"], sized["classes"]) == ([3, 224, 224], 7)
    assert (sized["filters"], sized["repeats"]) == (16, [2, 2, 2])
    assert (sized["stem"], sized["stem_channels"], sized["far_input"]) == ("imagenet", 24, True)
    assert (sized["builder"], sized["assembly"]) == ("cells", "nasnet")


@pytest.mark.parametrize(
    "change",
    [
        {"filters": 20},
        {"repeats": (2, 2, 3)},
        {"stem": "imagenet"},
        {"stem_channels": 8},
        {"far_input": True},
        {"resolution_px": 64},
    ],
)
def test_each_number_of_a_scale_makes_another_network(change: dict[str, Any]) -> None:
    design = Blueprint(network())
    assert network_key(design, CIFAR) != network_key(design, replace(CIFAR, **change))


@pytest.mark.parametrize(
    ("depth", "repeats"), [(0.5, [2, 2, 1]), (1, [4, 3, 2]), (1.1, [5, 4, 3]), (2, [8, 6, 4])]
)
def test_depth_multiplies_the_cells_of_each_stack_and_rounds_up(
    depth: float, repeats: list[int]
) -> None:
    assert scaled(network(), replace(CIFAR, depth=depth, repeats=(4, 3, 2)))["repeats"] == repeats


@property_test
@given(st.integers(1, 200), st.floats(0.05, 4))
def test_filters_of_another_width_are_the_nearest_multiple_of_4(filters: int, width: float) -> None:
    built = scaled(network(), replace(CIFAR, filters=filters, width=width))["filters"]
    if width == 1:
        assert built == filters
    else:
        assert built % 4 == 0
        assert built == 4 or abs(built - filters * width) <= 2


@pytest.mark.parametrize("assembly", ["nasnet", "darts"])
def test_an_imagenet_stem_divides_by_8_and_a_cifar_stem_by_nothing(assembly: str) -> None:
    assert scaled(network(assembly=assembly), CIFAR)["strides"] == [1, 2, 2]
    assert scaled(network(assembly=assembly), IMAGENET)["strides"] == [2, 2, 2, 2, 2]


@pytest.mark.parametrize(
    ("resolution_px", "strides"), [(16, [1, 2, 2]), (8, [1, 2, 1]), (4, [1, 1, 1])]
)
def test_reductions_keep_the_map_where_it_would_get_too_small(
    resolution_px: int, strides: list[int]
) -> None:
    proxy = replace(CIFAR, resolution_px=resolution_px, smallest_map_px=4)
    assert scaled(network(), proxy)["strides"] == strides


def test_strides_that_leave_nothing_of_the_input_are_refused() -> None:
    with pytest.raises(BuildError, match=r"total stride of 32 .* input of 31 px.* at least 32"):
        scaled(network(), replace(IMAGENET, resolution_px=31))
    assert scaled(network(), replace(IMAGENET, resolution_px=32))["strides"] == [2] * 5
    with pytest.raises(BuildError, match="total stride of 4 leaves nothing of an input of 3 px"):
        scaled(network(), replace(CIFAR, resolution_px=3))


@st.composite
def cells(draw: st.DrawFn) -> dict[str, Any]:
    """A random cell of up to five blocks."""
    blocks = []
    for index in range(draw(st.integers(1, 5))):
        states = st.integers(0, index + 1)
        combine = draw(st.sampled_from(["add", "concat", "mean"]))
        operation = draw(st.sampled_from(["conv_3x3", "skip_connect", "none"]))
        blocks.append(block(draw(states), draw(states), combine, operation))
    output = draw(st.sampled_from([UNUSED, MASK]))
    out = draw(st.sets(st.integers(0, 1 + len(blocks))))
    return cell(*blocks, output=output, out=tuple(out))


@property_test
@given(cells())
def test_tidying_keeps_what_is_meant_and_changes_nothing_the_second_time(
    normal: dict[str, Any],
) -> None:
    tidy, repairs = tidied(network(normal))
    assert tidied(tidy) == (tidy, ())
    assert meaning(tidy) == meaning(network(normal))
    nothing_goes_out = normal["output"] == MASK and not any(normal["mask"].values())
    assert bool(repairs) == nothing_goes_out


@property_test
@given(cells())
def test_scaling_keeps_the_graph(normal: dict[str, Any]) -> None:
    sized = scaled(network(normal), CIFAR)
    assert Graph.from_dict(sized["normal"]) == cell_graph(tidied(network(normal))[0]["normal"]).live
