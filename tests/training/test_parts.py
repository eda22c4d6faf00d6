import numpy as np
import pytest
from torch import nn

from evonas.models import build
from evonas.space import load_space
from evonas.training.parts import classifier, has_role, parts, units, weighted


def network(name: str) -> nn.Module:
    space = load_space(name)
    return build(space.decode(space.sample(np.random.default_rng(0))), space.scales["proxy"])


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("nano", ["stem", "stage_1", "stage_2", "head"]),
        ("nas_bench_201", ["stem", "stage_1", "reduction_1", "stage_2", "reduction_2", "stage_3"]),
        ("darts_cells", ["stem", "cell_1", "cell_2", "cell_3"]),
    ],
)
def test_parts_are_named_from_the_input_on(name: str, wanted: list[str]) -> None:
    net = network(name)
    names = [name for name, _ in parts(net)]
    assert names[: len(wanted)] == wanted
    assert names[-1] == "head"
    inside = [id(weights) for _, part in parts(net) for weights in part.parameters()]
    assert sorted(inside) == sorted(id(weights) for weights in net.parameters())


def test_units_are_blocks_and_cells() -> None:
    assert all(has_role(unit, "block") for unit in units(network("mobile_cells")))
    macro = network("nas_bench_macro")
    blocks = [m for m in macro.children() if type(m).__name__ == "InvertedResidual"]
    assert units(macro) == blocks
    kinds = [type(unit).__name__ for unit in units(network("nas_bench_201"))]
    assert kinds == ["Cell", "ResidualReduction", "Cell", "ResidualReduction", "Cell"]


def test_the_classifier_is_the_last_of_the_layers_with_weights() -> None:
    net = network("nano")
    layers = list(weighted(net))
    assert isinstance(layers[0], nn.Conv2d)
    assert layers[-1:] == classifier(net)
