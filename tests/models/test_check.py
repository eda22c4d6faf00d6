from pathlib import Path

import pytest

from evonas.errors import SpaceError
from evonas.models import build, check_space
from evonas.space import SearchSpace, load_space
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


@pytest.mark.parametrize("name", ["nano", "mobile_cells"])
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
            "Known: conv, depthwise_separable, inverted_residual.",
        ),
        (
            "[relu, relu6]",
            "[relu, gelu]",
            "tiny.yaml, network.activation (line 6): "
            'There is no activation called "gelu". Did you mean "relu"? '
            "Known: hard_sigmoid, hard_swish, relu, relu6, sigmoid, swish.",
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
            'There is no skip called "some". Known: identity, none.',
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
            "write a mapping with the keys channels, hidden, fixed.",
        ),
        (
            "builder: stages",
            "builder: stage",
            "tiny.yaml, network.builder (line 5): "
            'There is no builder called "stage". Did you mean "stages"? Known: stages.',
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
        ("stem: {channels: 8", "stem: {channels: 0"),
    )
    assert [problem.split(" (")[0].split(", ")[1] for problem in found] == [
        "network.activation",
        "network.stem.channels",
        "network.stages.0.kernel",
    ]
