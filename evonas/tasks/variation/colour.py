"""Colours and contrasts varied."""

import math
from collections.abc import Callable, Mapping

import torch

from evonas.settings import TrainingSettings


def recoloured(
    images: torch.Tensor, recipe: TrainingSettings, generator: torch.Generator
) -> torch.Tensor:
    """The images in other colours, each on its own, as far as the recipe has it.

    uint8 (batch, channels, height, width) to the same. Rounded and cut off at 0 and 255 once, after
    all changes.
    """
    gains = {name: getattr(recipe, name) for name in COLOURS}
    if not any(gains.values()):
        return images
    colours = images.float()
    for name, gain in gains.items():
        if gain > 0:
            signed = 2 * torch.rand(len(images), generator=generator) - 1
            colours = COLOURS[name](colours, (gain * signed).to(images.device))
    return colours.round_().clamp_(0, 255).to(torch.uint8)


def turn_hue(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Turns colours around the grey axis by shares of the circle: 1/3 makes red green.

    A linear map (after Haeberli, Matrix Operations for Image Processing, 1993), much faster than
    through HSV; it keeps the mean of the channels. Does nothing unless there are three.
    """
    if images.shape[1] != 3:
        return images
    shares = amounts[:, None] + torch.arange(3, device=amounts.device) / 3
    first = (1 + 2 * torch.cos(2 * math.pi * shares)) / 3  # what red takes from red, green, blue
    matrices = torch.stack([first, first.roll(1, 1), first.roll(2, 1)], 1)
    return (matrices @ images.flatten(2)).view(images.shape)


def saturate(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Moves channels away from their mean by 1 + the amount; -1 is grey."""
    return _spread(images, images.mean(1, keepdim=True), amounts)


def brighten(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Multiplies by 1 + the amount."""
    return images * (1 + amounts[:, None, None, None])


def stretch(images: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    """Moves values away from the image's mean by 1 + the amount."""
    return _spread(images, images.mean((1, 2, 3), keepdim=True), amounts)


# Setting to a change of floats by (batch,) amounts in ± the setting; in this order.
COLOURS: Mapping[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "hsv_h": turn_hue,
    "hsv_s": saturate,
    "hsv_v": brighten,
    "contrast": stretch,
}


def _spread(images: torch.Tensor, middle: torch.Tensor, amounts: torch.Tensor) -> torch.Tensor:
    return torch.lerp(middle, images, 1 + amounts[:, None, None, None])
