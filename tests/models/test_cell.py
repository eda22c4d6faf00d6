"""What a cell computes from its parts, with operations that can be computed by hand."""

import pytest
import torch
from torch import nn

from evonas.models.cell import (
    COMBINES,
    Cell,
    Dropped,
    Node,
    NormActivation,
    ResidualReduction,
)


class Times(nn.Module):
    """Multiplies by a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps * self.factor


def ones(value: float = 1.0) -> torch.Tensor:
    """Maps of 2 channels."""
    return torch.full((1, 2, 3, 3), float(value))


@pytest.mark.parametrize(
    ("combine", "wanted"),
    [("add", [9.0, 9.0]), ("mean", [3.0, 3.0]), ("concat", [1, 1, 2, 2, 6, 6])],
)
def test_maps_are_combined_as_the_word_says(combine: str, wanted: list[float]) -> None:
    combined = COMBINES[combine]([ones(1), ones(2), ones(6)])
    assert combined.mean((0, 2, 3)).tolist() == wanted


@pytest.mark.parametrize("combine", COMBINES)
def test_a_single_map_is_its_own_combination(combine: str) -> None:
    assert torch.equal(COMBINES[combine]([ones(5)]), ones(5))


def test_combining_leaves_the_maps_alone() -> None:
    maps = [ones(1), ones(2)]
    for combine in COMBINES.values():
        combine(maps)
    assert torch.equal(maps[0], ones(1))
    assert torch.equal(maps[1], ones(2))


def test_a_node_applies_each_operation_to_its_state() -> None:
    node = Node([Times(10), Times(100)], [1, 0], "add")
    assert torch.equal(node([ones(1), ones(2), ones(7)]), ones(120))


def test_a_cell_gives_its_outputs_behind_each_other() -> None:
    nodes = [Node([Times(1), Times(1)], [0, 1], "add"), Node([Times(10)], [2], "add")]
    cell = Cell([Times(2), Times(3)], nodes, [1, 3, 2])
    out = cell(ones(1), ones(1))
    assert out.mean((0, 2, 3)).tolist() == [3, 3, 50, 50, 5, 5]


@pytest.mark.parametrize(("side", "stride", "wanted"), [(8, 2, 4), (7, 2, 4), (8, 1, 8), (1, 2, 1)])
def test_a_residual_reduction_divides_the_size_and_changes_the_channels(
    side: int, stride: int, wanted: int
) -> None:
    reduction = ResidualReduction(4, 6, stride, "relu", "batch")
    assert reduction(torch.ones(2, 4, side, side)).shape == (2, 6, wanted, wanted)


def test_a_residual_reduction_adds_a_pooled_projection() -> None:
    reduction = ResidualReduction(2, 3, 2, "relu", "none")
    for weights in reduction.parameters():
        nn.init.zeros_(weights)
    nn.init.ones_(reduction.project.weight)
    maps = torch.arange(16.0).reshape(1, 1, 4, 4).expand(1, 2, 4, 4)
    # without the residual: the means of 2x2 pixels, summed over both channels
    wanted = 2 * torch.tensor([[2.5, 4.5], [10.5, 12.5]]).expand(1, 3, 2, 2)
    torch.testing.assert_close(reduction(maps), wanted)
    # an edge of odd length has the mean of what is there
    torch.testing.assert_close(reduction(torch.ones(1, 2, 3, 3)), 2 * torch.ones(1, 3, 2, 2))


def test_norm_and_activation_stand_in_this_order() -> None:
    made = NormActivation(4, "relu6", "group")
    assert [type(part).__name__ for part in made] == ["GroupNorm", "ReLU6"]


def test_a_dropped_operation_is_whole_when_predicting() -> None:
    dropped = Dropped(Times(3), 0.9)
    assert torch.equal(dropped.eval()(ones(1)), ones(3))
    torch.manual_seed(0)
    kept = dropped.train()(torch.ones(50, 2, 3, 3)).flatten(1)
    assert all(len(sample.unique()) == 1 for sample in kept)
    torch.testing.assert_close(kept.unique(), torch.tensor([0.0, 30.0]))
