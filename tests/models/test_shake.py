import pytest
import torch

from evonas.models import initialise
from evonas.models.blocks.shake import Shake, ShiftedProjection, shaken


def test_shares_are_random_sample_by_sample_and_others_backwards() -> None:
    first = torch.ones(64, 2, 3, 3, requires_grad=True)
    second = torch.zeros(64, 2, 3, 3, requires_grad=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        mixed = shaken(first, second)
    shares = mixed[:, 0, 0, 0]
    assert torch.allclose(mixed, shares.view(-1, 1, 1, 1).expand_as(mixed))
    assert bool(((shares > 0) & (shares < 1)).all())
    assert 0.2 < shares.std() < 0.4  # uniform: 0.29
    mixed.sum().backward()  # type: ignore[no-untyped-call]
    assert first.grad is not None
    assert second.grad is not None
    backward = first.grad[:, 0, 0, 0]
    torch.testing.assert_close(first.grad, backward.view(-1, 1, 1, 1).expand_as(first))
    torch.testing.assert_close(second.grad, 1 - first.grad)
    assert 0.2 < backward.std() < 0.4
    assert abs(torch.corrcoef(torch.stack([shares.detach(), backward]))[0, 1]) < 0.3


def test_what_is_shaken_is_the_mixture_itself() -> None:
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(2, 8, 3, 5, 5, generator=generator)
    torch.testing.assert_close(shaken(first, first), first)
    mixed = shaken(first, second)
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    assert bool(((mixed >= low - 1e-6) & (mixed <= high + 1e-6)).all())


def block(**changes: object) -> Shake:
    usual = {"in_channels": 8, "out_channels": 8, "kernel": 3, "stride": 1, "activation": "relu"}
    made = Shake(**{**usual, **changes})  # type: ignore[arg-type]
    initialise(made, seed=0)
    return made


def images(side: int = 6) -> torch.Tensor:
    return torch.randn(4, 8, side, side, generator=torch.Generator().manual_seed(1))


def test_in_evaluation_the_branches_have_equal_shares() -> None:
    made = block().eval()
    given = images()
    first, second = (branch(given) for branch in made.branches)
    torch.testing.assert_close(made(given), torch.relu(given + (first + second) / 2))
    assert torch.equal(made(given), made(given))
    made.train()
    assert not torch.equal(made(given), made(given))


def test_dropped_branches_leave_the_shortcut() -> None:
    made = block(drop_path=0.5)
    given = images().repeat(16, 1, 1, 1)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        left = (made(given) == torch.relu(given)).flatten(1).all(1)
    assert 16 < left.sum() < 48


@pytest.mark.parametrize("side", [1, 5, 6])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("out_channels", [1, 5, 16])
def test_the_shortcut_sees_pixels_and_those_above_and_left_of_them(
    side: int, stride: int, out_channels: int
) -> None:
    made = ShiftedProjection(8, out_channels, stride, "none")
    given = images(side)
    moved = torch.zeros_like(given)
    moved[:, :, 1:, 1:] = given[:, :, :-1, :-1]
    out = made(given)
    for layer in made.convolutions:
        layer.stride = (1, 1)  # type: ignore[assignment]
    wanted = [
        layer(maps[:, :, ::stride, ::stride])
        for layer, maps in zip(made.convolutions, (given, moved), strict=False)
    ]
    assert len(wanted) == min(2, out_channels)
    torch.testing.assert_close(out, torch.cat(wanted, 1))
    after = -(-side // stride)
    assert out.shape == (4, out_channels, after, after)
