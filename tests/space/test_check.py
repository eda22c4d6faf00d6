from pathlib import Path

import pytest

from evonas.errors import SpaceError
from evonas.models import build
from evonas.networks import Scale
from evonas.networks.stages.blocks import BLOCKS
from evonas.space import SearchSpace, known_spaces, load_space
from evonas.space.check import check_space
from evonas.space.load import load_space_file

SPACE = """\
scales:
  proxy: {resolution_px: 8, width: 0.5, smallest_map_px: 4}
  full: {resolution_px: 16}
network:
  builder: stages
  activation: {choice: [relu, relu6]}
  stem: {channels: 8, kernel: 3, stride: 1}
  stages:
    - operation: {choice: [conv, inverted_residual]}
      expansion: {choice: [3, 6], when: {operation: inverted_residual}}
      kernel: {choice: [3, 5]}
      se_ratio: 0
      skip: none
      channels: 8
      layers: {int: [1, 2]}
      stride: 1
  head: {channels: 16}
"""


def space(folder: Path, *changes: tuple[str, str]) -> SearchSpace:
    text = SPACE
    for old, new in changes:
        assert text.count(old) == 1, f"{old} is not one place"
        text = text.replace(old, new)
    file = folder / "tiny.yaml"
    file.write_text(text, encoding="utf-8")
    return load_space_file(file)


def problems(folder: Path, *changes: tuple[str, str]) -> list[str]:
    with pytest.raises(SpaceError) as failure:
        check_space(space(folder, *changes))
    return failure.value.problems


def test_a_sound_space_passes_and_its_ends_build(tmp_path: Path) -> None:
    sound = space(tmp_path)
    check_space(sound)
    for number in (-9.0, 9.0):
        build(sound.decode([number] * len(sound.genes)), sound.scales["proxy"])


@pytest.mark.parametrize("name", known_spaces())
def test_the_shipped_spaces_pass(name: str) -> None:
    check_space(load_space(name))


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "[conv, inverted_residual]",
            "[cov, inverted_residual]",
            "tiny.yaml, network.stages.0.operation (line 9): "
            'There is no operation called "cov". Did you mean "conv"? '
            f"Known: {', '.join(sorted(BLOCKS))}.",
        ),
        (
            "[relu, relu6]",
            "[relu, gelu]",
            "tiny.yaml, network.activation (line 6): "
            'There is no activation called "gelu". Did you mean "elu"? Known: elu, hard_sigmoid, '
            "hard_swish, leaky, mish, prelu, relu, relu6, selu, sigmoid, swish.",
        ),
        (
            "kernel: {choice: [3, 5]}",
            "kernel: {choice: [3, 4]}",
            "tiny.yaml, network.stages.0.kernel (line 11): 4 is not a kernel that keeps the "
            "map's size. Write an odd whole number of at least 1.",
        ),
        (
            "se_ratio: 0",
            "se_ratio: 1.5",
            "tiny.yaml, network.stages.0.se_ratio (line 12): 1.5 is not a ratio between 0 and 1.",
        ),
        (
            "      skip: none",
            "      skip: some",
            "tiny.yaml, network.stages.0.skip (line 13): "
            'There is no skip called "some". Known: identity, none, pool.',
        ),
        (
            "layers: {int: [1, 2]}",
            "layers: {int: [0, 2]}",
            "tiny.yaml, network.stages.0.layers (line 15): "
            "0 is not a number of layers. Write a whole number of at least 1.",
        ),
        (
            "      channels: 8\n",
            "      channels: 8.5\n",
            "tiny.yaml, network.stages.0.channels (line 14): "
            "8.5 is not a number of channels. Write a whole number of at least 1.",
        ),
        (
            "      se_ratio: 0\n",
            "",
            "tiny.yaml, network.stages.0 (line 9): the key se_ratio is missing.",
        ),
        (
            "  head: {channels: 16}\n",
            "",
            "tiny.yaml, network (line 4): the key head is missing.",
        ),
        (
            "head: {channels: 16}",
            "head: 16",
            "tiny.yaml, network.head (line 17): "
            "write a mapping with the keys channels, hidden, fixed, pool.",
        ),
        (
            "builder: stages",
            "builder: stage",
            "tiny.yaml, network.builder (line 5): "
            'There is no builder called "stage". Did you mean "stages"? '
            "Known: cells, chain, nas_bench_201, nas_bench_macro, stages.",
        ),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_would_be_right(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    assert problems(tmp_path, (old, new)) == [problem]


def test_an_unknown_key_is_told_with_the_nearest_known(tmp_path: Path) -> None:
    found = problems(tmp_path, ("kernel: {choice: [3, 5]}", "kernal: 3"))
    assert found[0].startswith(
        "tiny.yaml, network.stages.0.kernal (line 11): "
        'there is no key "kernal" here. Did you mean "kernel"?'
    )
    assert found[1:] == ["tiny.yaml, network.stages.0 (line 9): the key kernel is missing."]


def test_a_key_that_an_operation_needs_must_be_there(tmp_path: Path) -> None:
    line = "      expansion: {choice: [3, 6], when: {operation: inverted_residual}}\n"
    assert problems(tmp_path, (line, "")) == [
        "tiny.yaml, network.stages.0 (line 9): the key expansion is missing."
    ]
    check_space(space(tmp_path, (line, ""), ("[conv, inverted_residual]", "[conv]")))


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("when: {operation: inverted_residual}", "when: {operation: conv}", "expansion"),
        ("{choice: [3, 5]}", "{choice: [3, 5], when: {operation: conv}}", "kernel"),
    ],
)
def test_a_key_must_be_active_wherever_it_is_needed(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    (problem,) = problems(tmp_path, (old, new))
    assert f"network.stages.0.{key} (line " in problem


def test_every_number_of_a_range_is_checked_not_its_ends_alone(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, ("{choice: [3, 5]}", "{int: [3, 5]}"))
    assert "4 is not a kernel" in problem


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("activation: {choice: [relu, relu6]}", "activation: [relu, relu6]", "activation"),
        ("builder: stages", "builder: [stages]", "builder"),
        ("[conv, inverted_residual]}", "conv}", "operation"),
    ],
)
def test_a_list_where_a_choice_was_meant_is_told(
    tmp_path: Path, old: str, new: str, key: str
) -> None:
    assert any(key in problem for problem in problems(tmp_path, (old, new)))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        ("kernel: {choice: [3, 5]}", "kernel: 2"),
        ("[relu, relu6]", "[tanh]"),
        ("stem: {channels: 8", "stem: {channels: -1"),
    )
    assert [problem.split(" (")[0].split(", ")[1] for problem in found] == [
        "network.activation",
        "network.stem.channels",
        "network.stages.0.kernel",
    ]


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
    mask:
      state_3: {choice: [false, true], when: {output: mask}}
  reduction: *cell
"""


def cell_problems(folder: Path, *changes: tuple[str, str]) -> list[str]:
    text = CELLS
    for old, new in changes:
        assert text.count(old) == 1, f"{old} is not one place"
        text = text.replace(old, new)
    file = folder / "cells.yaml"
    file.write_text(text, encoding="utf-8")
    loaded = load_space_file(file)
    try:
        check_space(loaded)
    except SpaceError as failure:
        return failure.problems
    return []


def test_a_sound_space_of_cells_passes(tmp_path: Path) -> None:
    assert cell_problems(tmp_path) == []


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "[conv_1x1, skip_connect]",
            "[conv_1x1, skip_conect]",
            "normal.blocks.0.left.operation (line 11): "
            'There is no operation called "skip_conect". Did you mean "skip_connect"?',
        ),
        (
            "state: {choice: [0, 1]}",
            "state: {choice: [0, 2]}",
            "normal.blocks.0.left.state (line 11): block 0 cannot read state 2, which comes later. "
            "It can read the states 0 to 1.",
        ),
        (
            "state: {int: [0, 2]}",
            "state: {int: [0, 3]}",
            "normal.blocks.1.left.state (line 14): block 1 cannot read state 3, which comes later. "
            "It can read the states 0 to 2.",
        ),
        (
            "{operation: none, state: 2}",
            "{operation: none, state: -1}",
            "normal.blocks.1.right.state (line 15): "
            "-1 is not a state. Write a whole number of at least 0.",
        ),
        (
            "[add, concat]",
            "[add, multiply]",
            "normal.blocks.0.combine (line 13): "
            'There is no combine called "multiply". Known: add, concat, mean, weighted.',
        ),
        (
            "output: {choice: [unused, mask]}\n    mask:\n"
            "      state_3: {choice: [false, true], when: {output: mask}}",
            "output: [2, 4]",
            "normal.output (line 17): there is no state 4: the last is 3.",
        ),
        (
            "    mask:\n      state_3: {choice: [false, true], when: {output: mask}}\n",
            "",
            "normal.output (line 17): "
            "a mask goes out, and there is none. Add mask: {state_0: ...}.",
        ),
        (
            "      state_3: {choice",
            "      state_4: {choice",
            "normal.mask.state_4 (line 19): "
            'There is no state called "state_4". Did you mean "state_3"? '
            "Known: state_0, state_1, state_2, state_3.",
        ),
        (
            "{choice: [false, true], when",
            "{choice: [0, 1], when",
            "normal.mask.state_3 (line 19): 0 is neither true nor false.",
        ),
        (
            "output: {choice: [unused, mask]}",
            "output: {choice: [unused, masc, mask]}",
            "normal.output (line 17): masc names no output. "
            "Write unused, mask, or a list of states as in [2, 3].",
        ),
        (
            "        combine: add\n",
            "",
            "normal.blocks.1 (line 14): the key combine is missing.",
        ),
    ],
)
def test_a_mistake_in_a_cell_is_told_with_its_place(
    tmp_path: Path, old: str, new: str, problem: str
) -> None:
    # The reduction is the same cell: what is wrong stands on the same line, and is told once.
    first, *_ = cell_problems(tmp_path, (old, new))
    assert first.startswith(f"cells.yaml, network.{problem}")


def test_an_assembly_that_is_not_there_is_told(tmp_path: Path) -> None:
    (problem,) = cell_problems(tmp_path, ("assembly: nasnet", "assembly: dart"))
    assert problem == (
        "cells.yaml, network.assembly (line 7): "
        'There is no assembly called "dart". Did you mean "darts"? Known: darts, nasnet.'
    )


@pytest.mark.parametrize(
    ("old", "new", "missing"),
    [
        ("filters: 4, repeats: 1, ", "repeats: 1, ", "filters"),
        ("filters: 4, repeats: 1, ", "", "filters and repeats"),
    ],
)
def test_a_scale_without_the_numbers_of_cells_is_told(
    tmp_path: Path, old: str, new: str, missing: str
) -> None:
    assert cell_problems(tmp_path, (old, new)) == [
        f"cells.yaml, scales.proxy (line 3): a network of cells needs {missing}. "
        "Write as in filters: 16, repeats: 2."
    ]


def test_a_stem_too_deep_for_the_input_is_told(tmp_path: Path) -> None:
    change = ("{resolution_px: 32, filters: 8", "{resolution_px: 16, stem: imagenet, filters: 8")
    (problem,) = cell_problems(tmp_path, change)
    assert problem.startswith(
        "cells.yaml, scales.full.resolution_px (line 4): A total stride of 32"
    )


def test_scales_that_are_asked_for_are_checked_in_place_of_the_own(tmp_path: Path) -> None:
    sound = space(tmp_path)
    small = Scale("full", resolution_px=2)
    strided = space(
        tmp_path,
        ("stem: {channels: 8, kernel: 3, stride: 1}", "stem: {channels: 8, kernel: 3, stride: 4}"),
    )
    check_space(sound, [small])
    with pytest.raises(SpaceError, match=r"^full\.resolution_px=2: A total stride of 4"):
        check_space(strided, [small])


@pytest.mark.parametrize("key", ["norm", "initialisation", "drop_path"])
def test_a_mistake_in_what_all_networks_may_say_is_told(tmp_path: Path, key: str) -> None:
    (problem,) = problems(tmp_path, ("  builder: stages\n", f"  builder: stages\n  {key}: 7\n"))
    assert problem.startswith(f"tiny.yaml, network.{key} (line 6): ")


def test_an_identity_takes_no_key_of_the_others(tmp_path: Path) -> None:
    found = problems(tmp_path, ("[conv, inverted_residual]", "[conv, inverted_residual, identity]"))
    assert found == [
        "tiny.yaml, network.stages.0.kernel (line 11): identity takes no kernel. "
        "Add when: {operation: [conv, inverted_residual]}."
    ]
