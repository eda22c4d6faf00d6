import pytest
import torch

from evonas.settings import TrainingSettings
from evonas.tasks.variation.colour import (
    COLOURS,
    brighten,
    recoloured,
    saturate,
    stretch,
    turn_hue,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def floats(*shape: int) -> torch.Tensor:
    return 255 * torch.rand(shape, generator=generator(7))


def test_hue_turns_red_into_green_into_blue() -> None:
    images = floats(2, 3, 4, 4)
    turned = turn_hue(images, torch.tensor([1 / 3, 2 / 3]))
    torch.testing.assert_close(turned[0], images[0].roll(1, 0), atol=1e-3, rtol=0)
    torch.testing.assert_close(turned[1], images[1].roll(2, 0), atol=1e-3, rtol=0)


def test_hue_keeps_greys_the_mean_and_the_distance_to_it() -> None:
    images = floats(50, 3, 4, 4)
    turned = turn_hue(images, torch.linspace(-0.5, 0.5, 50))
    torch.testing.assert_close(turned.mean(1), images.mean(1), atol=1e-3, rtol=0)
    torch.testing.assert_close(turned.std(1), images.std(1), atol=1e-3, rtol=0)
    grey = images[:, :1].repeat(1, 3, 1, 1)
    turned_grey = turn_hue(grey, torch.linspace(-0.5, 0.5, 50))
    torch.testing.assert_close(turned_grey, grey, atol=1e-3, rtol=0)


def test_hue_turns_by_its_share_of_the_circle() -> None:
    images = floats(4, 3, 8, 8)
    shares = torch.tensor([0.05, 0.1, -0.2, 0.25])
    offsets, turned = (x - x.mean(1, keepdim=True) for x in (images, turn_hue(images, shares)))
    cosines = torch.nn.functional.cosine_similarity(offsets, turned, 1)
    expected = torch.cos(2 * torch.pi * shares)[:, None, None].expand(4, 8, 8)
    torch.testing.assert_close(cosines, expected, atol=1e-3, rtol=0)


def test_saturation_moves_channels_away_from_their_mean() -> None:
    images = floats(3, 3, 4, 4)
    changed = saturate(images, torch.tensor([-1, 0, 0.5]))
    mean = images.mean(1, keepdim=True)
    torch.testing.assert_close(changed[0], mean[0].expand(3, 4, 4))
    torch.testing.assert_close(changed[1], images[1])
    torch.testing.assert_close(changed[2], mean[2] + 1.5 * (images[2] - mean[2]))


def test_brightness_is_a_factor() -> None:
    images = floats(2, 3, 4, 4)
    changed = brighten(images, torch.tensor([-0.25, 0.5]))
    torch.testing.assert_close(changed, images * torch.tensor([0.75, 1.5])[:, None, None, None])


def test_contrast_keeps_the_mean_and_multiplies_the_deviation() -> None:
    images = floats(2, 3, 4, 4)
    changed = stretch(images, torch.tensor([-0.5, 0.4]))
    torch.testing.assert_close(changed.mean((1, 2, 3)), images.mean((1, 2, 3)))
    ratios = changed.std((1, 2, 3)) / images.std((1, 2, 3))
    torch.testing.assert_close(ratios, torch.tensor([0.5, 1.4]))


@pytest.mark.parametrize("name", COLOURS)
def test_nothing_is_changed_by_an_amount_of_0(name: str) -> None:
    images = floats(2, 3, 4, 4)
    torch.testing.assert_close(COLOURS[name](images, torch.zeros(2)), images)


@pytest.mark.parametrize("name", ["hsv_h", "hsv_s"])
def test_grey_images_have_no_hue_and_no_saturation(name: str) -> None:
    images = torch.randint(256, (20, 1, 4, 4), dtype=torch.uint8, generator=generator())
    assert torch.equal(recoloured(images, TrainingSettings(**{name: 0.4}), generator()), images)


def test_amounts_are_uniform_up_to_the_gain_and_each_image_has_its_own() -> None:
    images = torch.full((2000, 1, 1, 1), 100, dtype=torch.uint8)
    factors = recoloured(images, TrainingSettings(hsv_v=0.5), generator()).double() / 100
    assert factors.min() == 0.5
    assert factors.max() == 1.5
    assert factors.mean().item() == pytest.approx(1, abs=0.02)
    assert factors.std().item() == pytest.approx(0.5 / 3**0.5, rel=0.03)


def test_values_are_rounded_and_cut_off_never_wrapped_around() -> None:
    images = torch.tensor([0, 3, 200, 255], dtype=torch.uint8).view(1, 1, 2, 2).repeat(300, 1, 1, 1)
    changed = recoloured(images, TrainingSettings(hsv_v=0.9, contrast=0.9), generator())
    values = changed.flatten(1).int()
    assert (values.diff() >= 0).all()  # order stays, which wrapping around would break
    assert values[:, 0].max() > 0
    assert (values[:, 3] == 255).float().mean() > 0.2
    single = recoloured(images, TrainingSettings(hsv_v=0.5), generator(1)).flatten(1).double()
    factors = (2 * torch.rand(300, generator=generator(1)) - 1) * 0.5 + 1
    assert torch.equal(single[:, 1], (3 * factors).round().double())
