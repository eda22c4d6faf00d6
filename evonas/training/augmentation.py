"""Whole batches of images, varied at random on the device they lie on."""

import torch


def translate(images: torch.Tensor, share: float, generator: torch.Generator) -> torch.Tensor:
    """Moves each image by up to `share` of its side in both directions; black comes in.

    (batch, channels, height, width) to the same shape.
    """
    batch, _, height, width = images.shape
    largest = round(share * height)
    if largest == 0:
        return images
    padded = torch.nn.functional.pad(images, (largest,) * 4)
    offsets = torch.randint(2 * largest + 1, (2, batch), generator=generator).to(images.device)
    rows = torch.arange(height, device=images.device) + offsets[0, :, None]
    columns = torch.arange(width, device=images.device) + offsets[1, :, None]
    index = torch.arange(batch, device=images.device)[:, None, None]
    return padded[index, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def flip_left_right(
    images: torch.Tensor, probability: float, generator: torch.Generator
) -> torch.Tensor:
    """Mirrors each image with the given probability; keeps the shape."""
    if probability == 0:
        return images
    flipped = (torch.rand(len(images), generator=generator) < probability).to(images.device)
    return torch.where(flipped[:, None, None, None], images.flip(3), images)
