"""What files and reports say of scores and predictions by images and their mirror images."""

from collections.abc import Mapping
from typing import Any

from evonas.settings import TrainingSettings

FLIP_TEST, FLIP_TEST_MS = "flip_test", "flip_test_ms"  # keys, which are there if it is so
PASSES = 2  # through the network for an image


def flip_mark(recipe: TrainingSettings) -> dict[str, Any]:
    """What a result says of it."""
    return {FLIP_TEST: True} if recipe.flip_test else {}


def flip_latency(recipe: TrainingSettings, ms: float) -> dict[str, float]:
    """What an image takes then, beside `ms` of one pass."""
    return {FLIP_TEST_MS: PASSES * ms} if recipe.flip_test else {}


def told_flip(result: Mapping[str, Any]) -> str:
    """What follows on `images` in a sentence."""
    return ", each together with its mirror image," if FLIP_TEST in result else ""
