"""FractalNet's block: what its columns compute, and what drop path leaves of them."""

import pytest
import torch

from evonas.models import initialise
from evonas.models.blocks.fractal import Fractal


def fractal(columns: int, drop_path: float = 0.0) -> Fractal:
    """From 4 to 4 channels at stride 1, with weights of seed 0 and norms that do nothing."""
    made = Fractal(4, 4, 3, 1, "relu", columns, drop_path=drop_path)
    initialise(made, seed=0)
    return made


def images(count: int = 2) -> torch.Tensor:
    return torch.randn(count, 4, 6, 6, generator=torch.Generator().manual_seed(1))


def test_columns_meet_in_their_mean() -> None:
    made = fractal(3).eval()
    short, middle_1, middle_2, long_1, long_2, long_3, long_4 = made.convolutions
    given = images()
    # arXiv 1605.07648, equation 1, unrolled: f_3 = join(f_2(f_2(z)), conv(z))
    first = (middle_1(given) + long_2(long_1(given))) / 2
    wanted = (short(given) + middle_2(first) + long_4(long_3(first))) / 3
    torch.testing.assert_close(made(given), wanted)


def columns_alone(made: Fractal, given: torch.Tensor) -> list[torch.Tensor]:
    alone, start = [], 0
    for column in range(made.count):
        maps = given
        for layer in list(made.convolutions)[start : start + 2**column]:
            maps = layer(maps)
        alone.append(maps)
        start += 2**column
    return alone


def test_half_of_the_samples_keep_a_single_column() -> None:
    made = fractal(3, drop_path=0.15).eval()
    given = images(1).repeat(600, 1, 1, 1)
    alone = columns_alone(made, images(1))
    made.training = True  # of the block alone: norms do not depend on the batch
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        out = made(given)
    counts = [int((out - one).abs().flatten(1).amax(1).lt(1e-5).sum()) for one in alone]
    # A sixth each; and local drops leave single columns now and then: 0.85 * 0.15^2, ... of half.
    assert all(75 < count < 145 for count in counts)
    assert 260 < sum(counts) < 370
    torch.testing.assert_close(made.eval()(images(1)), fractal(3).eval()(images(1)))


@pytest.mark.parametrize("drop_path", [0.15, 0.99])
def test_a_join_counts_what_is_left_of_its_inputs_and_never_nothing(drop_path: float) -> None:
    made = fractal(3, drop_path)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        local = made._shares([0, 1, 2], torch.full((1000,), -1))
        kept = made._shares([0, 2], torch.tensor([0, 2]))
    torch.testing.assert_close(local.sum(1), torch.ones(1000))
    alive = (local > 0).sum(1)
    assert bool((alive >= 1).all())
    torch.testing.assert_close(local.amax(1), 1 / alive)
    assert (alive == 3).float().mean() == pytest.approx((1 - drop_path) ** 3, abs=0.05)
    assert kept.tolist() == [[1, 0], [0, 1]]


def test_gradients_reach_every_column_while_paths_are_dropped() -> None:
    made = fractal(4, drop_path=0.15).train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made(images(64)).square().sum().backward()
    assert all(weights.grad is not None and weights.grad.any() for weights in made.parameters())
