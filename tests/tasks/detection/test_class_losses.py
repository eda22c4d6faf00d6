"""How sure a detector is to be of classes at a point."""

import math

import pytest
import torch

from evonas.tasks.detection.class_losses import focal, varifocal


def test_focal_losses_are_those_of_their_formulas() -> None:
    # p = 1/4: cross-entropy log 4 with the target 1, log(4 / 3) with 0.
    logit = torch.tensor(-math.log(3))
    yes, no, half = torch.tensor(1.0), torch.tensor(0.0), torch.tensor(0.5)
    assert focal(logit, yes).item() == pytest.approx(0.75**2 * math.log(4))
    assert focal(logit, no).item() == pytest.approx(0.25**2 * math.log(4 / 3))
    soft = 0.5 * (math.log(4) + math.log(4 / 3))
    assert focal(logit, half).item() == pytest.approx(0.25**2 * soft)
    assert varifocal(logit, half).item() == pytest.approx(0.5 * soft)
    assert varifocal(logit, no).item() == pytest.approx(0.75 * 0.25**2 * math.log(4 / 3))
