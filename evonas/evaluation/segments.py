"""A training as a row of segments, one for each rung, each with a schedule of its own.

Every segment anneals to its end, as between warm restarts (Loshchilov and Hutter 2017, arXiv
1608.03983), and begins with nothing but the weights that the one before left. So designs of one
rung compare, and going on from weights on the disk equals training all segments in a row.

Several short schedules of few steps may teach less than a long one. With `fidelity.whole` the last
rung is one training that begins anew: what a search without rungs would have found out.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from evonas.errors import ExportError
from evonas.exporters.weights import read_weights
from evonas.settings import FidelitySettings, TrainingSettings

STEP_PX = 4  # resolutions of rungs are multiples of it


@dataclass(frozen=True)
class Segment:
    """One training; `percent` is the share of the training images."""

    recipe: TrainingSettings
    seed: int
    resolution_px: int
    percent: int = 100


def segments_of(
    fidelity: FidelitySettings, recipe: TrainingSettings, rung: int, seed: int, resolution_px: int
) -> list[Segment]:
    """All segments of a training up to a rung; without rungs there is one."""
    if not fidelity.rungs:
        return [Segment(recipe, seed, resolution_px)]
    if begins_anew(fidelity, recipe, rung):
        whole = recipe.model_copy(update={"epochs": fidelity.rungs[rung]})
        return [Segment(whole, seed, resolution_px)]
    segments, epochs = [], 0
    for place, amount in enumerate(fidelity.rungs[: rung + 1]):
        own = seed_of(seed, place)
        if fidelity.of == "epochs":
            part = recipe.model_copy(update={"epochs": amount - epochs})
            segments.append(Segment(part, own, resolution_px))
            epochs = amount
        elif fidelity.of == "data":
            segments.append(Segment(recipe, own, resolution_px, amount))
        else:
            steps = max(1, round(resolution_px * amount / 100 / STEP_PX))
            side = resolution_px if amount == 100 else min(steps * STEP_PX, resolution_px)
            segments.append(Segment(recipe, own, side))
    return segments


def expected_epochs(
    fidelity: FidelitySettings, recipe: TrainingSettings, resolution_px: int
) -> float:
    """Whole epochs that the trainings of a design take the time of, on average.

    Of the designs that begin a rung, one in `reduction` goes on. An epoch on a share of the images
    or pixels takes that share of the time.
    """
    return sum(
        own.recipe.epochs
        * own.percent
        / 100
        * (own.resolution_px / resolution_px) ** 2
        / fidelity.reduction**rung
        for rung, own in enumerate(added_segments(fidelity, recipe, resolution_px))
    )


def added_segments(
    fidelity: FidelitySettings, recipe: TrainingSettings, resolution_px: int
) -> list[Segment]:
    """What each rung adds to the one below, if that left its weights; of no design's seed."""
    rungs = range(max(1, len(fidelity.rungs)))
    return [segments_of(fidelity, recipe, rung, 0, resolution_px)[-1] for rung in rungs]


def begins_anew(fidelity: FidelitySettings, recipe: TrainingSettings, rung: int) -> bool:
    """True if a promotion to this rung does not go on from the weights of the rung below.

    What was inherited is in these weights, so then it does.
    """
    is_last = 0 < rung == len(fidelity.rungs) - 1
    return is_last and fidelity.of == "epochs" and fidelity.whole and not recipe.inherit


def seed_of(seed: int, rung: int) -> int:
    """The seed of a segment: that of the trial for the first one."""
    if rung == 0:
        return seed
    return int(np.random.SeedSequence([seed, rung]).generate_state(1)[0])


def weights_in(file: Path, checksum: str | None = None) -> dict[str, torch.Tensor] | None:
    """Weights on the disk by name; None if they are not there any more, or not as noted."""
    try:
        return read_weights(file, checksum)
    except ExportError:
        return None
