"""What a network sees in images: goes with the source of exported detectors."""

import torch
from torch import nn

from evonas.tasks.detection.suppression import found


def detect(
    network: nn.Module,
    images: torch.Tensor,
    confidence: float = 0.25,
    nms: str = "nms",
    threshold: float = 0.65,
) -> list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Boxes (k, 4), scores (k,) and classes (k,) of each image, best first, at most 300.

    Args:
        network: In evaluation mode.
        images: (batch, channels, height, width), normalised.
        confidence: The least score.
        nms: Which boxes around one thing are left: `nms` the likeliest, `diou` likewise where
            centres are near as well, `soft` all with lower scores; `none` suppresses nothing.
        threshold: The overlap (IoU) above which two boxes are around one thing.
    """
    with torch.no_grad():
        boxes, scores = network(images)
    every = found(boxes, scores, nms, threshold, confidence)
    return [
        (boxes[own > 0], own[own > 0], classes[own > 0])
        for boxes, own, classes in zip(every.boxes, every.scores, every.classes, strict=True)
    ]
