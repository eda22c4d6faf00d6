"""Genes of compression: what a space may say, what vanishes, and what is refused with its place."""

from pathlib import Path

import pytest
from conftest import FIXED, problems_of

from evonas.space import SearchSpace, load_space
from evonas.space.training_section import check_recipe

GENES = """\
compression:
  pruning:
    method: {choice: [none, channels, weights]}
    ratio: {float: [0.1, 0.7], when: {method: [channels, weights]}}
    epochs: 0.5
  quantisation:
    method: {choice: [none, int8, weights]}
    bits: {choice: [8, 4], when: {method: weights}}
    images: 64
"""
STAGES = """\
compression:
  pruning:
    method: {choice: [none, channels]}
    ratios: [{float: [0.1, 0.7]}, 0.5, {choice: [0.25, 0.5]}]
"""


def space_of(text: str) -> SearchSpace:
    Path("own.yaml").write_text(FIXED + text)
    space = load_space("./own.yaml")
    check_recipe(space)
    return space


def test_genes_are_called_after_step_and_key_and_are_there_where_their_method_is() -> None:
    space = space_of(GENES)
    assert [gene.name for gene in space.genes] == [
        "compression.pruning.method",
        "compression.pruning.ratio",
        "compression.quantisation.method",
        "compression.quantisation.bits",
    ]
    plain = space.decode((0, 0.5, 0, 1)).compression
    assert plain == {"pruning": {"method": "none"}, "quantisation": {"method": "none"}}
    small = space.decode((1, 0.5, 2, 1)).compression
    assert small == {
        "pruning": {"method": "channels", "ratio": 0.5, "epochs": 0.5},
        "quantisation": {"method": "weights", "bits": 4},
    }


def test_designs_that_are_compressed_alike_have_one_chromosome() -> None:
    for text, numbers in (
        (GENES, [(0, 0.2, 1, 0), (0, 0.6, 1, 1)]),
        (STAGES, [(0, 0.2, 1), (0, 0.6, 0)]),
    ):
        space = space_of(text)
        one, other = (space.canonical(number) for number in numbers)
        assert one == other
        assert space.encode(space.decode(one)) == one


def test_shares_of_stages_are_items_of_a_list() -> None:
    space = space_of(STAGES)
    names = [gene.name for gene in space.genes]
    assert names[1:] == ["compression.pruning.ratios.0", "compression.pruning.ratios.2"]
    assert space.decode((1, 0.3, 1)).compression["pruning"]["ratios"] == [0.3, 0.5, 0.5]


def test_a_space_of_networks_is_joined_to_one_of_compression() -> None:
    Path("small.yaml").write_text(f"title: smaller\n{GENES}")
    space = load_space("mobile_cells+./small.yaml")
    check_recipe(space)
    assert {gene.key_path[0] for gene in space.genes} == {"network", "compression"}


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (
            ("when: {method: [channels, weights]}", "when: {method: [none, channels]}"),
            "own.yaml, compression.pruning.ratio (line 20): ratio does nothing with method=none. "
            "Add when: {method: [channels, weights]}.",
        ),
        (
            (", when: {method: weights}", ""),
            "own.yaml, compression.quantisation.bits (line 24): bits does nothing with "
            "method=none. Add when: {method: [weights]}.",
        ),
        (
            ("[none, int8, weights]", "[none, int2, weights]"),
            "own.yaml, compression.quantisation.method (line 23), method: input should be 'none', "
            "'int8', 'qat', 'weights' or 'pq', got 'int2'.",
        ),
        (
            ("ratio: {float: [0.1, 0.7]", "ratio: {float: [0.1, 1.7]"),
            "own.yaml, compression.pruning.ratio (line 20), ratio: input should be less than 1, "
            "got 1.7.",
        ),
        (
            ("images: 64", "image: 64"),
            'own.yaml, compression.quantisation.image (line 25): there is no key "image".',
        ),
        (
            ("  quantisation:", "  quantization:"),
            "own.yaml, compression.quantization (line 22): There is no step of compression called "
            '"quantization". Did you mean "quantisation"?',
        ),
    ],
)
def test_what_compression_does_not_take_is_told_with_its_line(
    wrong: tuple[str, str], told: str
) -> None:
    problems = problems_of(space_of, GENES.replace(*wrong))
    assert len(problems) == 1
    assert problems[0].startswith(told), problems


def test_each_share_of_a_list_is_checked() -> None:
    problems = problems_of(space_of, STAGES.replace("0.5,", "2,"))
    assert len(problems) == 1
    assert (
        "compression.pruning.ratios (line 20), ratios.1: input should be less than 1" in problems[0]
    )


def test_a_step_is_a_mapping() -> None:
    problems = problems_of(space_of, "compression: {pruning: {choice: [none, channels]}}\n")
    assert problems == [
        "own.yaml, compression.pruning (line 17): write a mapping, as in pruning: "
        "{method: channels}."
    ]
