"""Probabilities of classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evonas.settings import TrainingSettings


def most_likely(
    logits: NDArray[Any], classes: Sequence[str], recipe: TrainingSettings
) -> list[dict[str, Any]]:
    """The most likely class of each image and its probability.

    Args:
        logits: (images, classes); with `flip_test` those of the mirror images follow, and
            probabilities are means of both.
    """
    probabilities = _softmax(np.asarray(logits, dtype=np.float64))
    if recipe.flip_test:
        probabilities = np.mean(np.split(probabilities, 2), 0)
    return [
        {
            "class": classes[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(classes, row.tolist(), strict=True)),
        }
        for row in probabilities
    ]


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponents / exponents.sum(1, keepdims=True))
