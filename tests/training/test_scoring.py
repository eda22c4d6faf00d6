import math

import numpy as np
import pytest
import torch
from conftest import a_problem
from torch import nn

from evonas.data.dataset import Split
from evonas.settings import TrainingSettings
from evonas.training import evaluate


class LooksLeft(nn.Module):
    """The odds of class 1 are the brightness of the pixel at the top left."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        bright = images[:, 0, 0, 0]
        return torch.stack([torch.zeros_like(bright), bright], 1)


def scores(**recipe: bool) -> dict[str, float]:
    """Of an image that is bright at the right, and of class 1."""
    images = np.zeros((1, 1, 2, 2), np.uint8)
    images[..., 1] = 255
    split = Split(images, np.array([1]))
    return evaluate(LooksLeft(), split, a_problem(2, (0.4,), (0.1,)), TrainingSettings(**recipe))


def test_with_mirror_images_probabilities_are_means() -> None:
    dark, bright = (1 / (1 + math.exp(-logit)) for logit in (-4, 6))
    assert scores()["loss"] == pytest.approx(-math.log(dark), rel=1e-5)
    assert scores(flip_test=True)["loss"] == pytest.approx(-math.log((dark + bright) / 2), rel=1e-5)
    assert (scores()["accuracy"], scores(flip_test=True)["accuracy"]) == (0, 1)
