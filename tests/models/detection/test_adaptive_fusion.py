"""Adaptive fusion: each pixel of each map counts with a share."""

import torch

from evonas.models import initialise
from evonas.models.detection.adaptive_fusion import AdaptiveFusion


def images(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def lively(terms: int) -> AdaptiveFusion:
    fusion = AdaptiveFusion(4, terms, "leaky").eval()
    initialise(fusion, seed=0)
    torch.nn.init.normal_(fusion.weigh.bias, generator=torch.Generator().manual_seed(1))
    return fusion


def test_it_is_the_sum_of_maps_times_a_softmax_for_each_pixel() -> None:
    fusion, maps = lively(3), [images(seed, 2, 4, 5, 5) for seed in range(3)]
    one, two, three = (
        layer[1](layer[0](each)) for layer, each in zip(fusion.compress, maps, strict=True)
    )
    seen = torch.nn.functional.leaky_relu(torch.cat([one, two, three], 1), 0.1)
    numbers = torch.einsum("bchw,tc->tbhw", seen, fusion.weigh.weight[:, :, 0, 0])
    assert fusion.weigh.bias is not None
    powers = (numbers + fusion.weigh.bias[:, None, None, None]).exp()
    shares = powers / powers.sum(0)
    expected = sum(each * share[:, None] for each, share in zip(maps, shares, strict=True))
    torch.testing.assert_close(fusion(*maps), expected)


def test_of_equal_maps_it_gives_that_map() -> None:
    same = images(0, 1, 4, 3, 3)
    torch.testing.assert_close(lively(2)(same, same), same)


def test_maps_that_are_larger_than_the_smallest_are_cut_off() -> None:
    fusion, small, large = lively(2), images(0, 1, 4, 5, 3), images(1, 1, 4, 6, 4)
    torch.testing.assert_close(fusion(small, large), fusion(small, large[..., :5, :3]))
