from pathlib import Path

import pytest
from conftest import SPACE, changed, mistakes, problems_of

from evonas.models import build
from evonas.networks import Scale
from evonas.networks.stages.blocks import BLOCKS
from evonas.space import SearchSpace
from evonas.space.check import check_space
from evonas.space.load import load_space_file

Change = tuple[str, str]
EXPANSION = "      expansion: {choice: [3, 6], when: {operation: inverted_residual}}\n"


def space(*changes: Change, text: str = SPACE) -> SearchSpace:
    Path("tiny.yaml").write_text(changed(text, *changes), encoding="utf-8")
    return load_space_file(Path("tiny.yaml"))


def problems(*changes: Change, text: str = SPACE) -> list[str]:
    return problems_of(lambda: check_space(space(*changes, text=text)))


def test_a_sound_space_passes_and_its_ends_build() -> None:
    sound = space()
    check_space(sound)
    for number in (-9.0, 9.0):
        build(sound.decode([number] * len(sound.genes)), sound.scales["proxy"])


@mistakes("""
[relu, relu6] => [relu, gelu]
    activation (line 6): There is no activation called "gelu". Did you mean "elu"? Known: elu,
    hard_sigmoid, hard_swish, leaky, mish, prelu, relu, relu6, selu, sigmoid, swish.
kernel: {choice: [3, 5]} => kernel: {choice: [3, 4]}
    stages.0.kernel (line 11): 4 is not a kernel that keeps the map's size. Write an odd whole
    number of at least 1.
kernel: {choice: [3, 5]} => kernel: {int: [3, 5]}
    stages.0.kernel (line 11): 4 is not a kernel that keeps the map's size. Write an odd whole
    number of at least 1.
se_ratio: 0 => se_ratio: 1.5
    stages.0.se_ratio (line 12): 1.5 is not a ratio between 0 and 1.
skip: none => skip: some
    stages.0.skip (line 13): There is no skip called "some". Known: identity, none, pool.
layers: 1 => layers: {int: [0, 2]}
    stages.0.layers (line 15): 0 is not a number of layers. Write a whole number of at least 1.
channels: 16 => channels: 8.5
    stages.0.channels (line 14): 8.5 is not a number of channels. Write a whole number of at
    least 1.
se_ratio: 0 =>
    stages.0 (line 9): the key se_ratio is missing.
head: {channels: 32} => head: 16
    head (line 17): write a mapping with the keys channels, hidden, fixed, pool.
builder: stages => builder: stage
    builder (line 5): There is no builder called "stage". Did you mean "stages"? Known: cells,
    chain, detector, nas_bench_201, nas_bench_macro, stages.
expansion: {choice: [3, 6], when: {operation: inverted_residual}} =>
    stages.0 (line 9): the key expansion is missing.
[conv, inverted_residual] => [conv, inverted_residual, identity]
    stages.0.kernel (line 11): identity takes no kernel. Add when: {operation: [conv,
    inverted_residual]}.
""")
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(wrong: Change, told: str) -> None:
    assert problems(wrong) == [f"tiny.yaml, network.{told}"]


def test_an_operation_that_is_not_there_is_told_with_all_that_are() -> None:
    assert problems(("[conv, inv", "[cov, inv")) == [
        "tiny.yaml, network.stages.0.operation (line 9): There is no operation called "
        f'"cov". Did you mean "conv"? Known: {", ".join(sorted(BLOCKS))}.'
    ]


def test_what_is_missing_is_told_with_the_section_that_lacks_it() -> None:
    assert problems(("  head: {channels: 32}\n", "")) == [
        "tiny.yaml, network (line 4): the key head is missing."
    ]
    check_space(space((EXPANSION, ""), ("[conv, inverted_residual]", "[conv]")))


@mistakes("""
when: {operation: inverted_residual} => when: {operation: conv}
    stages.0.expansion (line
{choice: [3, 5]} => {choice: [3, 5], when: {operation: conv}}
    stages.0.kernel (line
activation: {choice: [relu, relu6]} => activation: [relu, relu6]
    activation (line
builder: stages => builder: [stages]
    builder (line
[conv, inverted_residual]} => conv}
    stages.0.operation
activation: {choice: [relu, relu6]} => norm: 7
    norm (line 6)
activation: {choice: [relu, relu6]} => initialisation: 7
    initialisation (line 6)
activation: {choice: [relu, relu6]} => drop_path: 7
    drop_path (line 6)
""")
def test_keys_that_are_inactive_or_lists_or_of_another_kind_are_named(
    wrong: Change, told: str
) -> None:
    assert f"network.{told}" in " ".join(problems(wrong))


def test_all_mistakes_are_told_at_once_and_an_unknown_key_with_the_nearest_known() -> None:
    found = problems(
        ("kernel: {choice: [3, 5]}", "kernal: 3"),
        ("[relu, relu6]", "[tanh]"),
        ("{channels: 8", "{channels: -1"),
    )
    assert [problem.split(" (")[0].split(", ")[1] for problem in found] == [
        "network.activation",
        "network.stem.channels",
        "network.stages.0.kernal",
        "network.stages.0",
    ]
    assert 'there is no key "kernal" here. Did you mean "kernel"?' in found[2]
    assert found[3] == "tiny.yaml, network.stages.0 (line 9): the key kernel is missing."


CELLS = """\
title: Cells
scales:
  proxy: {resolution_px: 16, filters: 4, repeats: 1, smallest_map_px: 4}
  full: {resolution_px: 32, filters: 8, repeats: 2}
network:
  builder: cells
  assembly: nasnet
  activation: relu
  normal: &cell
    blocks:
      - left: {operation: {choice: [conv_1x1, skip_connect]}, state: {choice: [0, 1]}}
        right: {operation: max_pool_3x3, state: 0}
        combine: {choice: [add, concat]}
      - left: {operation: conv_3x3, state: {int: [0, 2]}}
        right: {operation: none, state: 2}
        combine: add
    output: {choice: [unused, mask]}
    mask: {state_3: {choice: [false, true], when: {output: mask}}}
  reduction: *cell
"""


def test_a_sound_space_of_cells_passes() -> None:
    check_space(space(text=CELLS))


@mistakes("""
[conv_1x1, skip_connect] => [conv_1x1, skip_conect]
    normal.blocks.0.left.operation (line 11): There is no operation called "skip_conect". Did you
    mean "skip_connect"?
state: {choice: [0, 1]} => state: {choice: [0, 2]}
    normal.blocks.0.left.state (line 11): block 0 cannot read state 2, which comes later. It can
    read the states 0 to 1.
state: {int: [0, 2]} => state: {int: [0, 3]}
    normal.blocks.1.left.state (line 14): block 1 cannot read state 3, which comes later. It can
    read the states 0 to 2.
{operation: none, state: 2} => {operation: none, state: -1}
    normal.blocks.1.right.state (line 15): -1 is not a state. Write a whole number of at least 0.
[add, concat] => [add, multiply]
    normal.blocks.0.combine (line 13): There is no combine called "multiply". Known: add, concat,
    mean, weighted.
mask: {state_3: {choice: [false, true], when: {output: mask}}} =>
    normal.output (line 17): a mask goes out, and there is none. Add mask: {state_0: ...}.
{state_3: {choice => {state_4: {choice
    normal.mask.state_4 (line 18): There is no state called "state_4". Did you mean "state_3"?
    Known: state_0, state_1, state_2, state_3.
{choice: [false, true], when => {choice: [0, 1], when
    normal.mask.state_3 (line 18): 0 is neither true nor false.
[unused, mask] => [unused, masc, mask]
    normal.output (line 17): masc names no output. Write unused, mask, or a list of states as in
    [2, 3].
combine: add =>
    normal.blocks.1 (line 14): the key combine is missing.
assembly: nasnet => assembly: dart
    assembly (line 7): There is no assembly called "dart". Did you mean "darts"? Known: darts,
    nasnet.
""")
def test_a_mistake_in_a_cell_is_told_with_its_place(wrong: Change, told: str) -> None:
    # The reduction is the same cell: what is wrong stands on the same line, and is told once.
    first, *_ = problems(wrong, text=CELLS)
    assert first.startswith(f"tiny.yaml, network.{told}")


def test_a_state_that_goes_out_and_is_not_there_is_told() -> None:
    changes = ("{choice: [unused, mask]}", "[2, 4]"), ("mask: {state_3:", "#")
    first, *_ = problems(*changes, text=CELLS)
    assert first == (
        "tiny.yaml, network.normal.output (line 17): there is no state 4: the last is 3."
    )


@pytest.mark.parametrize(
    ("old", "missing"),
    [("filters: 4, ", "filters"), ("filters: 4, repeats: 1, ", "filters and repeats")],
)
def test_a_scale_without_the_numbers_of_cells_is_told(old: str, missing: str) -> None:
    assert problems((old, ""), text=CELLS) == [
        f"tiny.yaml, scales.proxy (line 3): a network of cells needs {missing}. "
        "Write as in filters: 16, repeats: 2."
    ]


def test_a_stem_too_deep_for_the_input_is_told() -> None:
    change = ("{resolution_px: 32, filters: 8", "{resolution_px: 16, stem: imagenet, filters: 8")
    (problem,) = problems(change, text=CELLS)
    assert problem.startswith("tiny.yaml, scales.full.resolution_px (line 4): A total stride of 32")


def test_scales_that_are_asked_for_are_checked_in_place_of_the_own() -> None:
    small = Scale("full", resolution_px=2)
    check_space(space(), [small])
    strided = space(("kernel: 3, stride: 2", "kernel: 3, stride: 4"))
    (problem,) = problems_of(check_space, strided, [small])
    assert problem.startswith("full.resolution_px=2: A total stride of 4")
