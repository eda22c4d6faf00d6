"""What all heuristics have in common."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from evonas.settings import TrainingSettings
from evonas.tasks.variation import augmented, mixed
from evonas.tasks.variation.erasing import erased

Call = Callable[[torch.Tensor, TrainingSettings, torch.Generator], torch.Tensor]


def mixed_images(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> torch.Tensor:
    targets = torch.eye(len(images), device=images.device)
    return mixed(images, targets, recipe, generator)[0]


BYTES = {
    "translate": 0.25,
    "scale": 0.3,
    "degrees": 30,
    "shear": 20,
    "fliplr": 0.5,
    "flipud": 0.5,
    "hsv_h": 0.2,
    "hsv_s": 0.5,
    "hsv_v": 0.5,
    "contrast": 0.5,
}
BLANKS = {"cutout": 0.4, "erasing": 0.7, "gridmask": 0.7}
MIXES = {"mixup": 1, "cutmix": 1}
ALL = {
    **{name: (augmented, {name: value}) for name, value in BYTES.items()},
    **{name: (erased, {name: value}) for name, value in BLANKS.items()},
    **{name: (mixed_images, {name: value, f"{name}_alpha": 5}) for name, value in MIXES.items()},
    "all bytes": (augmented, BYTES),
    "reflected": (augmented, {**BYTES, "fill": "reflect"}),
    "shifted and reflected": (augmented, {"translate": 0.25, "fill": "reflect"}),
    "all blanks": (erased, BLANKS),
    "all mixes": (mixed_images, {**MIXES, "mixup_alpha": 5, "cutmix_alpha": 5}),
}
each = pytest.mark.parametrize(("call", "settings"), ALL.values(), ids=ALL)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def some(call: Call, channels: int = 3) -> torch.Tensor:
    images = torch.randint(256, (24, channels, 16, 12), dtype=torch.uint8, generator=generator(7))
    return images if call is augmented else images / 128 - 1


@each
def test_the_generator_alone_decides(call: Call, settings: dict[str, Any]) -> None:
    images, recipe = some(call), TrainingSettings(**settings)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = call(images, recipe, generator(1))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, images)
    torch.manual_seed(2)
    assert torch.equal(call(images, recipe, generator(1)), first)
    assert not torch.equal(call(images, recipe, generator(2)), first)


@each
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_shape_and_type_stay_and_so_do_the_given_images(
    call: Call, settings: dict[str, Any], channels: int
) -> None:
    images = some(call, channels)
    changed = call(images, TrainingSettings(**settings), generator())
    assert changed.shape == images.shape
    assert changed.dtype == images.dtype
    assert torch.equal(images, some(call, channels))


@each
def test_a_batch_of_one_will_do(call: Call, settings: dict[str, Any]) -> None:
    images = some(call)[:1]
    assert call(images, TrainingSettings(**settings), generator()).shape == images.shape


@pytest.mark.parametrize("name", [*BYTES, *BLANKS])
def test_each_image_is_changed_in_its_own_way(name: str) -> None:
    call, settings = ALL[name]
    images = some(call)[:1].repeat(24, 1, 1, 1)
    changed = call(images, TrainingSettings(**settings), generator())
    kinds = len(changed.flatten(1).unique(dim=0))
    assert kinds == 2 if name in ("fliplr", "flipud") else kinds > 10


@pytest.mark.parametrize("call", [augmented, erased, mixed_images])
def test_all_off_gives_the_same_images_and_draws_nothing(call: Call) -> None:
    images, same = some(call), generator()
    before = same.get_state()
    assert call(images, TrainingSettings(), same) is images
    assert torch.equal(same.get_state(), before)


@each
def test_all_that_is_large_stays_on_the_device(call: Call, settings: dict[str, Any]) -> None:
    """The meta device holds no values: to read one, or to mix devices, is an error there."""
    images = some(call).to("meta")
    changed = call(images, TrainingSettings(**settings), generator())
    assert changed.device == images.device
    assert changed.shape == images.shape


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@each
def test_a_seed_means_the_same_on_every_device(call: Call, settings: dict[str, Any]) -> None:
    images, recipe = some(call), TrainingSettings(**settings)
    here = call(images, recipe, generator()).double()
    there = call(images.cuda(), recipe, generator()).cpu().double()
    assert ((here - there).abs() <= (1 if call is augmented else 1e-5)).all()
