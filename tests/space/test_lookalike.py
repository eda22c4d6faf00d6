"""Genes in the words of other tools are refused, constants are not."""

import pytest

from evonas.errors import SpaceError
from evonas.space.document import document_of
from evonas.space.load import space_of


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ({"uniform": [0, 1]}, "{float: [0, 1]}"),
        ({"choices": [16, 32]}, "{choice: [16, 32]}"),
        ({"_type": "choice", "_value": [1, 2]}, "{choice: [1, 2]}"),
        ({"_type": "loguniform", "_value": [0.1, 1]}, "{log: [0.1, 1]}"),
        ({"randint": [1, 9]}, "{int: [1, 9]}"),
        ({"loguniform": [0.1, 1]}, "{log: [0.1, 1]}"),
        ({"type": "int", "low": 1, "high": 9}, "{int: [1, 9]}"),
        ({"min": 0, "max": 1, "step": 0.1}, "{float: [0, 1]}"),
        ({"distribution": "uniform", "min": 0, "max": 1}, "{float: [0, 1]}"),
        ({"values": [1, 2]}, "{choice: [1, 2]}"),
        ({"grid_search": [1, 2]}, "{choice: [1, 2]}"),
        ({"choise": [1, 2]}, "{choice: [1, 2]}"),
        ({"Float": [0, 1]}, "{float: [0, 1]}"),
    ],
)
@pytest.mark.parametrize("section", ["values", "training", "network"])
def test_what_looks_like_a_gene_and_is_none_is_refused(
    written: dict[str, object], meant: str, section: str
) -> None:
    values = {"values": {"x": {"int": [1, 2]}}}
    values[section] = {**values.get(section, {}), "y": [written]}  # type: ignore[dict-item]
    with pytest.raises(SpaceError) as failure:
        space_of(document_of(values, "mine"))
    (problem,) = [text for text in failure.value.problems if "looks like a gene" in text]
    assert problem.startswith(f"mine, {section}.y.0: ")
    assert f"Write {meant}" in problem


@pytest.mark.parametrize(
    "constant",
    [{"lag": [1, 2]}, {"name": "sgd"}, {"range": {"float": [0, 1]}}, {"step": 3}, [16, 32]],
)
def test_constants_and_groups_with_genes_are_no_genes(constant: object) -> None:
    values = {"values": {"x": {"int": [1, 2]}, "y": constant}}
    assert space_of(document_of(values, "mine")).genes


def test_ten_thousand_genes_with_conditions_are_ordered_and_counted() -> None:
    gates = {f"g{i}": {"choice": [0, 1]} for i in range(5000)}
    inner = {f"x{i}": {"int": [1, 3], "when": {f"g{i}": 1}} for i in range(5000)}
    space = space_of(document_of({"values": {**inner, **gates}}, "mine"))
    assert [gene.name for gene in space.genes[:3]] == ["values.g0", "values.x0", "values.g1"]
    assert space.size == 4**5000


def test_many_genes_may_wait_for_one_but_not_in_a_long_chain() -> None:
    fan = {f"x{i}": {"int": [1, 3], "when": {"kind": "a"}} for i in range(3000)}
    space = space_of(document_of({"values": {"kind": {"choice": ["a", "b"]}, **fan}}, "mine"))
    assert space.size == 3**3000 + 1
    chain = {f"x{i}": {"int": [0, 1], "when": {f"x{i - 1}": 1}} for i in range(1, 1500)}
    with pytest.raises(SpaceError, match="more than 100 genes wait for each other by when"):
        space_of(document_of({"values": {"x0": {"int": [0, 1]}, **chain}}, "mine"))
    short = {f"x{i}": chain[f"x{i}"] for i in range(1, 100)}
    assert space_of(document_of({"values": {"x0": {"int": [0, 1]}, **short}}, "mine")).size == 101
