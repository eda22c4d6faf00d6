import pytest
import torch

from evonas.settings import TrainingSettings
from evonas.tasks.variation import mixed, mixes
from evonas.tasks.variation.mixing import beta, cutmix, mixup


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def batch(count: int = 6, height: int = 20, width: int = 30) -> tuple[torch.Tensor, torch.Tensor]:
    """Each image is all its own number, and of the class of this number."""
    numbers = torch.arange(count).float()
    images = numbers[:, None, None, None].repeat(1, 3, height, width)
    return images.contiguous(memory_format=torch.channels_last), torch.eye(count)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 1.5])
def test_weights_are_of_the_beta_distribution(alpha: float) -> None:
    same = generator()
    weights = torch.tensor([beta(alpha, same) for _ in range(4000)])
    assert weights.mean().item() == pytest.approx(0.5, abs=0.02)
    assert weights.var().item() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.06)
    assert weights.min() >= 0
    assert weights.max() <= 1


def test_mixup_weighs_images_and_targets_alike() -> None:
    images, targets = batch()
    for seed in range(20):
        weight = beta(1.0, generator(seed))
        mixed_images, mixed_targets = mixup(images, targets, 1.0, generator(seed))
        expected = weight * images + (1 - weight) * images.roll(-1, 0)
        torch.testing.assert_close(mixed_images, expected)
        torch.testing.assert_close(mixed_targets.diag(), torch.full((6,), weight))
        torch.testing.assert_close(mixed_targets @ torch.arange(6.0), mixed_images[:, 0, 0, 0])


def test_cutmix_targets_are_the_areas_that_are_left() -> None:
    images, targets = batch()
    for seed in range(100):
        mixed_images, mixed_targets = cutmix(images, targets, 1.0, generator(seed))
        for image, number, target in zip(mixed_images, range(6), mixed_targets, strict=True):
            own = (image[0] == number).float().mean().item()
            assert target[number].item() == pytest.approx(own, abs=1e-6)
            assert target[(number + 1) % 6].item() == pytest.approx(1 - own, abs=1e-6)
            assert set(image.unique().tolist()) <= {number, (number + 1) % 6}


def test_cutmix_pastes_one_box_whose_sides_have_the_ratio_of_the_image() -> None:
    images, targets = batch(height=40, width=80)
    shares = []
    for seed in range(300):
        pasted = (cutmix(images, targets, 1.0, generator(seed))[0] != images)[:, 0]
        assert (pasted == pasted[0]).all()
        height, width = int(pasted[0].any(1).sum()), int(pasted[0].any(0).sum())
        assert pasted[0].sum() == height * width
        share = (1 - beta(1.0, generator(seed))) ** 0.5
        assert height <= round(40 * share)
        assert width <= round(80 * share)
        if height == round(40 * share) and width == round(80 * share):
            shares.append(share)
    assert len(shares) > 20  # boxes that the border left whole
    assert max(shares) > 0.5


def test_the_own_images_stay_as_they_were() -> None:
    for mixer in (mixup, cutmix):
        images, targets = batch()
        mixer(images, targets, 1.0, generator(1))
        assert torch.equal(images, batch()[0])
        assert torch.equal(targets, batch()[1])


def kinds(recipe: TrainingSettings, batches: int = 600) -> dict[str, float]:
    """Shares of batches that were mixed by each kind, told by the images."""
    images, targets = batch(3, 8, 8)
    same, found = generator(), {"none": 0, "mixup": 0, "cutmix": 0}
    for _ in range(batches):
        image = mixed(images, targets, recipe, same)[0][0]
        weight = image[0, 0, 0].item()
        whole = (image == weight).all().item()
        kind = "mixup" if whole and 0 < weight < 1 else "none" if whole else "cutmix"
        found[kind] += 1
    return {kind: count / batches for kind, count in found.items()}


def test_settings_are_shares_of_batches() -> None:
    shares = kinds(TrainingSettings(mixup=0.5, mixup_alpha=2, cutmix=0.3, cutmix_alpha=5))
    assert shares["mixup"] == pytest.approx(0.5, abs=0.07)
    assert shares["cutmix"] == pytest.approx(0.3, abs=0.07)


def test_shares_above_all_batches_are_divided() -> None:
    shares = kinds(TrainingSettings(mixup=1, mixup_alpha=2, cutmix=1, cutmix_alpha=5))
    assert shares["mixup"] == pytest.approx(0.5, abs=0.07)
    assert shares["cutmix"] == pytest.approx(0.5, abs=0.07)


def test_alphas_are_those_of_the_settings() -> None:
    images, targets = batch()
    for name, mixer in (("mixup", mixup), ("cutmix", cutmix)):
        recipe = TrainingSettings(**{name: 1, f"{name}_alpha": 7.5})
        same = generator()
        torch.rand((), generator=same)  # which kind
        expected = mixer(images, targets, 7.5, same)
        assert all(map(torch.equal, mixed(images, targets, recipe, generator()), expected))


@pytest.mark.parametrize("name", ["mixup", "cutmix"])
def test_mixed_batches_keep_shape_memory_format_and_whole_targets(name: str) -> None:
    images, targets = batch()
    recipe = TrainingSettings(**{name: 1, f"{name}_alpha": 2})
    mixed_images, mixed_targets = mixed(images, targets, recipe, generator())
    assert not torch.equal(mixed_images, images)
    assert mixed_images.shape == images.shape
    assert mixed_images.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(mixed_targets.sum(1), torch.ones(6))


def test_soft_targets_are_needed_where_something_mixes() -> None:
    assert not mixes(TrainingSettings())
    assert mixes(TrainingSettings(mixup=0.1))
    assert mixes(TrainingSettings(cutmix=0.1))


def test_nothing_is_drawn_where_nothing_mixes() -> None:
    images, targets = batch()
    same = generator()
    before = same.get_state()
    mixed_images, mixed_targets = mixed(images, targets, TrainingSettings(), same)
    assert mixed_images is images
    assert mixed_targets is targets
    assert torch.equal(same.get_state(), before)
