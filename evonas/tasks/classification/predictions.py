"""Probabilities of classes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def most_likely(logits: NDArray[Any], classes: Sequence[str]) -> list[dict[str, Any]]:
    """The most likely class of each image and its probability. `logits`: (images, classes)."""
    return [
        {
            "class": classes[int(row.argmax())],
            "probability": float(row.max()),
            "probabilities": dict(zip(classes, row.tolist(), strict=True)),
        }
        for row in _softmax(np.asarray(logits, dtype=np.float64))
    ]


def _softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(exponents / exponents.sum(1, keepdims=True))
