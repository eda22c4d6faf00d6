"""The latency of an exported model or of a published network, measured by hand."""

import os
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from evonas.errors import SettingsError
from evonas.exporters.file_names import ONNX, ONNX_INT8, RECIPE, SOURCE, WEIGHTS
from evonas.hardware.device import device_description, device_fingerprint
from evonas.hardware.latency import Clock, Latency, latency_scale, reference_ms
from evonas.hardware.runtimes import Shape
from evonas.model_folder.model_folder import ModelFolder
from evonas.models import build
from evonas.presets import preset
from evonas.reports.flip_test import flip_latency
from evonas.settings import Settings, Words
from evonas.space import Scale

SIZES = ("resolution_px", "width")  # keys of full.* that a published network can be built at


def latency_summary(model: str, given: Iterable[str], trust: bool = False) -> dict[str, Any]:
    """What the clock says of a model folder, or of a published network at its published input.

    Always measures: nothing is taken from the user's cache but the reference's calibration. Of a
    folder it is what would be deployed: `model.int8.onnx` where there is one. Torch's runtimes
    take the network of 32 bits.

    Args:
        model: A folder that evonas export wrote, or the name of a published network.
        given: Words for latency.*, and of a published network full.resolution_px and full.width.
        trust: Files of the folder may differ from what evonas wrote.

    Raises:
        SettingsError: A word is wrong or says nothing here, or the runtime is not there.
        UnknownName: There is no such folder and no such network.
        ExportError: The folder is no model folder, or is not as evonas wrote it.
    """
    is_folder = os.sep in model or Path(model, RECIPE).exists()
    settings = _settings(given, is_folder)
    clock = Clock(settings.latency, reference_ms(settings.latency))
    start = time.perf_counter()
    if is_folder:
        measured, shape, file = _of_folder(Path(model), clock, trust)
        recipe = ModelFolder.open(Path(model), (), trust).recipe.training
    else:
        (measured, shape), file = _of_preset(model, settings, clock), None
        recipe = settings.training
    seconds = time.perf_counter() - start
    own = settings.latency
    return {
        "name": model,
        "file": file,
        "ms": measured.ms,
        **flip_latency(recipe, measured.ms),
        **measured.to_dict(),
        "input": list(shape),
        **{key: getattr(own, key) for key in ("batch", "runtime", "precision", "threads")},
        **({"precision": "int8"} if file == ONNX_INT8 else {}),
        "reference_ms": clock.reference_ms,
        "seconds": seconds,
        "device": device_description(own.runtime),
        "device_fingerprint": device_fingerprint(own.runtime, own.precision),
    }


def _settings(given: Iterable[str], is_folder: bool) -> Settings:
    words = Words(given)
    settings, problems = words.read()
    takes = "latency.* only" if is_folder else "latency.*, full.resolution_px and full.width only"
    for keys, origin in words.origins.items():
        is_size = keys[0] == "full" and keys[-1] in SIZES and not is_folder
        if keys[0] != "latency" and not is_size:
            kind = "a model folder" if is_folder else "a published network"
            problems.append(f"{origin}: the latency of {kind} takes {takes}.")
    if is_folder and settings.latency.resolution_px is not None:
        problems.append(
            f"latency.resolution_px={settings.latency.resolution_px}: an exported model has its "
            "own resolution. Leave it out, or export the design with another full.resolution_px."
        )
    if problems:
        raise SettingsError(problems)
    return settings


def _of_preset(name: str, settings: Settings, clock: Clock) -> tuple[Latency, Shape]:
    found = preset(name)
    scale = _sized(found.scale, settings)
    network = build(found.blueprint, scale, seed=0)
    return clock.measure_network(network, scale.input_shape), scale.input_shape


def _sized(scale: Scale, settings: Settings) -> Scale:
    wanted = {key: getattr(settings.full, key) for key in SIZES}
    chosen: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
    return latency_scale(replace(scale, **chosen), settings.latency)


def _of_folder(path: Path, clock: Clock, trust: bool) -> tuple[Latency, Shape, str]:
    """Of what is deployed, and the file that it is."""
    needed = [SOURCE, WEIGHTS] if clock.form is None else [ONNX]
    folder = ModelFolder.open(path, needed, trust)
    shape = folder.recipe.input.shape
    if clock.form is None:
        return clock.measure_network(folder.trained().network, shape), shape, SOURCE
    return clock.measure(folder.onnx()), shape, folder.onnx_file
