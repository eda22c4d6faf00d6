"""What can be wrong with the compression that a search asks for, found before it begins."""

from collections.abc import Iterator

import numpy as np

from evonas.compression.compress import faults
from evonas.errors import SettingsError
from evonas.evaluation.kit import compression_of
from evonas.evaluation.measures import LATENCIES
from evonas.evaluation.objectives import Objective, taken_measures
from evonas.hardware.runtimes import RUNTIMES
from evonas.settings import CompressionSettings, Settings
from evonas.space.search_space import SearchSpace

DESIGNS = 64  # drawn at random; if one can be compressed as it says, designs differ


def check_compression(
    settings: Settings, space: SearchSpace, objectives: tuple[Objective, ...]
) -> None:
    """Raises a SettingsError if no design can be compressed as it says, or measured then."""
    asked = settings.compression
    if not settings.evaluator.trains:
        if asked != CompressionSettings():
            raise SettingsError(
                f"compression.{next(iter(asked.meant()), 'pruning')} has no effect with evaluator="
                f"{settings.evaluator.name}: nothing is trained. Leave it out."
            )
        return
    found = list(_compressions(settings, space))
    problems = list(_contradictions(found))
    if any(own.quantisation.computes_in_int8 for own in found):
        problems += _untimed(settings, objectives)
    if problems:
        raise SettingsError(problems)


def _compressions(settings: Settings, space: SearchSpace) -> Iterator[CompressionSettings]:
    """What designs of the space ask for."""
    genes = [gene for gene in space.genes if gene.key_path[0] == "compression"]
    rng = np.random.default_rng(0)
    yield from (
        compression_of(settings.compression, space.peek(space.sample(rng)))
        for _ in range(DESIGNS if genes else 1)
    )


def _contradictions(found: list[CompressionSettings]) -> list[str]:
    """What is wrong with all of them; a design among others fails by itself, with its reason."""
    wrong = [faults(own) for own in found]
    return list(dict.fromkeys(fault for own in wrong for fault in own)) if all(wrong) else []


def _untimed(settings: Settings, objectives: tuple[Objective, ...]) -> Iterator[str]:
    """A latency of what computes in 8 bits that would be one of 32."""
    own = settings.latency
    if LATENCIES.isdisjoint(taken_measures(settings, objectives)):
        return
    if RUNTIMES[own.runtime].form is None:
        able = ", ".join(name for name, runtime in RUNTIMES.items() if runtime.form is not None)
        yield (
            f"latency.runtime={own.runtime} times torch networks, and what computes in 8 bits is "
            f"an ONNX model. Set latency.runtime to one of {able}, or leave int8 and qat out."
        )
