"""The block with dilated branches."""

import torch

from evonas.models.detection.receptive_field_block import ReceptiveFieldBlock
from evonas.models.receptive_field import seen
from evonas.models.trace import trace


def test_its_branches_narrow_the_map_and_see_three_seven_and_fifteen_pixels() -> None:
    block = ReceptiveFieldBlock(64, 32, "relu")
    shapes = [[tuple(layer[0].weight.shape) for layer in branch] for branch in block.branches]
    assert shapes == [
        [(16, 64, 1, 1), (16, 16, 3, 3)],
        [(8, 64, 1, 1), (16, 8, 3, 3), (16, 16, 3, 3)],
        [(8, 64, 1, 1), (12, 8, 3, 3), (16, 12, 3, 3), (16, 16, 3, 3)],
    ]
    fields = [seen(trace(branch, (1, 64, 31, 31), device="cpu"))[0] for branch in block.branches]
    assert [field and field[0].pixels for field in fields] == [3, 9, 15]


def test_what_branches_make_is_added_to_a_shortcut_at_a_tenth() -> None:
    block, maps = ReceptiveFieldBlock(8, 4, "relu").eval(), torch.ones(1, 8, 9, 9)
    beside = torch.cat([branch(maps) for branch in block.branches], 1)
    expected = (block.shortcut(maps) + 0.1 * block.mix(beside)).relu()
    torch.testing.assert_close(block(maps), expected)
    assert block(maps).shape == (1, 4, 9, 9)


def test_the_last_layers_are_linear() -> None:
    block = ReceptiveFieldBlock(8, 4, "relu")
    for row in (block.mix, block.shortcut, *(branch[-1] for branch in block.branches)):
        assert len(list(row)) == 2  # type: ignore[arg-type]
