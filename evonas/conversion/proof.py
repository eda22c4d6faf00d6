"""Whether weights are where they belong: what the network gives with them, and what it should."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from evonas.conversion.conversion import Conversion, put
from evonas.conversion.fingerprint import Fingerprint, fingerprint
from evonas.errors import SettingsError
from evonas.models import Network, build, deployed
from evonas.presets import Preset

TOLERANCE = 1e-3  # of the largest output: a program that rounds to 32 bits is about 1e-5 away
FINGERPRINT_KEYS = ("size", "sum", "l2")
RIGHT = (
    "Write numbers with commas between, a .npy file, or a .json file with a list of numbers or "
    "with size, sum and l2 of a fingerprint."
)


@dataclass(frozen=True)
class Output:
    """What a program gives for the example image with the weights: the first of its numbers."""

    numbers: Sequence[float]


Evidence = Output | Fingerprint


def evidence_of(text: str) -> Evidence:
    """What `--output` says: numbers, or a file of them or of a fingerprint.

    Raises:
        SettingsError: It is neither.
    """
    try:
        values = _read(text)
        if isinstance(values, Mapping):
            side, total, length = (values[key] for key in FINGERPRINT_KEYS)
            return Fingerprint(int(side), float(total), float(length))
        numbers = np.asarray(values, np.float64).ravel()
    except (OSError, ValueError, KeyError, TypeError) as problem:
        told = problem.strerror if isinstance(problem, OSError) else problem
        raise SettingsError(f"--output {text}: {told}. {RIGHT}") from None
    if not numbers.size or not np.isfinite(numbers).all():
        raise SettingsError(f"--output {text}: there is no number, or one is not finite. {RIGHT}")
    return Output(numbers.tolist())


def _read(text: str) -> Any:
    if text.endswith(".npy"):
        return np.load(text, allow_pickle=False)
    if text.endswith(".json"):
        return json.loads(Path(text).read_bytes())
    return [float(number) for number in text.split(",")]


def proved(read: Conversion, chosen: Preset, evidence: Evidence) -> dict[str, Any]:
    """How the weights were proved, as plain values.

    An output is that for `example_input()` of a model folder, `linspace(-1, 1)` over all values of
    an image, in evaluation mode; it proves function and weights. A fingerprint proves that the
    program's network is the same function; where its weights are follows from order and names.

    Raises:
        SettingsError: The numbers are others, or the weights are not complete.
    """
    if isinstance(evidence, Fingerprint):
        return _by_fingerprint(chosen, evidence)
    if read.missing:
        raise SettingsError(
            f"--output: {len(read.missing)} tensors are missing, {read.missing[0]} among them, so "
            "the network gives nothing yet that could be compared. Leave --output out."
        )
    wanted = torch.tensor(evidence.numbers, dtype=torch.float64)
    given = example_output(chosen, read.tensors)
    if len(wanted) > len(given):
        raise SettingsError(
            f"--output has {len(wanted)} numbers, and {chosen.name} gives {len(given)}."
        )
    difference = float((given[: len(wanted)] - wanted).abs().max() / given.abs().max())
    if not difference <= TOLERANCE:
        raise SettingsError(
            f"--output begins with {_some(wanted)}, and {chosen.name} with these weights gives "
            f"{_some(given)}: they differ by {difference:.2g} of the largest output, and at most "
            f"{TOLERANCE:g} is right. Nothing was written. Either the weights are of a network "
            "that differs in what has no weights (padding, constants of norms, activations), or "
            "the output is not that of the example image in evaluation mode."
        )
    return {"by": "output", "numbers": len(wanted), "difference": difference}


def by_names(read: Conversion) -> dict[str, Any] | None:
    """The proof of weights whose places are known by their names; None: they are not."""
    return {"by": "names"} if read.has_known_names else None


def example_output(chosen: Preset, tensors: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """What the network gives for the example image with these weights: float64 (numbers,)."""
    network = build(chosen.blueprint, chosen.scale)
    put(tensors, network)
    shape = chosen.scale.input_shape
    images = torch.linspace(-1, 1, int(np.prod(shape))).reshape(1, *shape).double()
    with torch.no_grad():
        outputs = deployed(network).double().eval()(images)
    first: torch.Tensor = outputs if isinstance(outputs, torch.Tensor) else outputs[0]
    return first[0].flatten()


def _by_fingerprint(chosen: Preset, evidence: Fingerprint) -> dict[str, Any]:
    network: Network = build(chosen.blueprint, chosen.scale)
    try:
        own = fingerprint(network, evidence.side_px, chosen.scale.input_channels)
    except RuntimeError:  # of torch: maps of that size do not fit a linear layer
        raise SettingsError(
            f"--output: {chosen.name} takes images of {chosen.scale.resolution_px} px alone, and "
            f"the fingerprint is of {evidence.side_px} px. Make it at that size."
        ) from None
    if not own.agrees(evidence):
        raise SettingsError(
            f"--output: the fingerprint of {chosen.name} at {own.side_px} px has the sum "
            f"{own.sum:.10g} and the length {own.length:.10g}, and that of the file "
            f"{evidence.sum:.10g} and {evidence.length:.10g}: these are two functions. Nothing was "
            "written."
        )
    return {"by": "fingerprint", "side_px": own.side_px}


def _some(numbers: torch.Tensor) -> str:
    return ", ".join(f"{number:.4g}" for number in numbers[:4].tolist())
