"""A published network as a model folder: fresh, or with weights that were published elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evonas.blueprint import scaled_network
from evonas.conversion.conversion import put
from evonas.conversion.convert import published_weights
from evonas.delivery.enlarge import SIZE
from evonas.delivery.final_compression import SECTION
from evonas.delivery.model_writer import Model, model_files, write_model
from evonas.errors import SettingsError
from evonas.exporters.file_names import WEIGHTS
from evonas.hardware.latency import measured_latency
from evonas.model_folder.model_folder import COUNTS
from evonas.model_folder.recipe_file import InputSettings, OriginSettings, Recipe
from evonas.model_folder.replacement import new_folder
from evonas.models import Network, build
from evonas.networks import GRAMMARS
from evonas.presets import Preset, preset
from evonas.presets.resizing import sized
from evonas.settings import FullSettings, LatencySettings, TrainingSettings
from evonas.tasks import TASKS, completed

SEED = 0
PUBLISHED = "published"  # the scale that a recipe names


def export_preset(
    name: str,
    to: str | Path,
    shape: str | None = None,
    classes: int | Sequence[str] | None = None,
    weights: str | Path | None = None,
    mean: Sequence[float] | None = None,
    deviation: Sequence[float] | None = None,
) -> dict[str, Any]:
    """Writes a published network as a model folder, all of it or nothing.

    Its recipe names no data set: a retraining asks for one, and begins with the weights that are
    given here.

    Args:
        name: Of the preset.
        to: The folder to write: new or empty.
        shape: CxHxW of an image, as in `3x96x96`; None: as published.
        classes: How many, or their names; None: as many as published.
        weights: A file that `evonas weights` reads or has written; None: fresh ones.
        mean, deviation: Of each channel of 0..1 values, by which the images of the weights were
            normalised. Without them nothing can be predicted before a retraining.

    Returns:
        `preset`, `task`, `input`, `classes`, `folder`, `files`, `weights`, `counts`, `latency` on
        this device and `checks` (largest differences of the forms from the network).

    Raises:
        UnknownName: There is no such preset.
        SettingsError: The weights are those of another network, or numbers do not fit.
        ExportError: A folder in use, or forms that disagree.
    """
    folder = new_folder(to)
    names = None if classes is None or isinstance(classes, int) else tuple(classes)
    chosen = sized(preset(name), shape, len(names) if names else _number(classes))
    origin = OriginSettings(
        preset=name, weights=None if weights is None else Path(weights).name, scale=PUBLISHED
    )
    statistics = _statistics(chosen, mean, deviation, weights is not None)
    network = build(chosen.blueprint, chosen.scale, seed=SEED)
    if weights is not None:
        put(published_weights(Path(weights), chosen), network)
    model = Model(
        recipe=_recipe(chosen, network, names, origin, statistics),
        blueprint=chosen.blueprint.to_dict(),
        facts=_facts(chosen),
        network=network,
    )
    input_shape, settings = chosen.scale.input_shape, LatencySettings()
    checks = write_model(
        folder,
        model,
        lambda network, files: measured_latency(network, files, input_shape, settings),
    )
    keys = ("onnx_max_abs_difference", "onnx_rounding", "source_max_abs_difference")
    return {
        "preset": name,
        "task": model.recipe.task,
        "input": list(input_shape),
        "classes": chosen.scale.classes,
        "folder": str(folder),
        "files": model_files(folder),
        "weights": None if weights is None else str(weights),
        COUNTS: checks[COUNTS],
        "latency": checks["latency"],
        "checks": {key: checks[key] for key in keys if key in checks},
    }


def _number(classes: Any) -> int | None:
    if classes == 0:
        raise SettingsError("--classes 0: a network tells at least one class. Write their number.")
    number: int | None = classes
    return number


def _statistics(
    chosen: Preset,
    mean: Sequence[float] | None,
    deviation: Sequence[float] | None,
    has_weights: bool,
) -> dict[str, tuple[float, ...]]:
    """Mean and deviation by name, both or none."""
    given = {
        key: tuple(values)
        for key, values in (("mean", mean), ("deviation", deviation))
        if values is not None
    }
    if not given:
        return {}
    channels = chosen.scale.input_channels
    if len(given) == 1 or any(len(values) != channels for values in given.values()):
        raise SettingsError(
            f"--mean and --deviation: write {channels} number(s) for each, one a channel, as in "
            "--mean 0.485,0.456,0.406 --deviation 0.229,0.224,0.225."
        )
    if not all(number > 0 for number in given["deviation"]):
        raise SettingsError("--deviation: what values are divided by is above 0.")
    if not has_weights:
        raise SettingsError(
            "--mean and --deviation say how the images of --weights were normalised. Leave them "
            "out: a retraining takes those of its own images."
        )
    return given


def _recipe(
    chosen: Preset,
    network: Network,
    names: tuple[str, ...] | None,
    origin: OriginSettings,
    statistics: dict[str, tuple[float, ...]],
) -> Recipe:
    """How a retraining trains it: as it trains what was found, on data that it asks for.

    It begins with the weights of the folder, if they are those of a training.
    """
    scale, full = chosen.scale, FullSettings()
    name = GRAMMARS[chosen.blueprint.network["builder"]].task
    longer = {"epochs": full.epochs, "translate": full.translate}
    begun = {} if origin.weights is None else {"weights": Path(WEIGHTS)}
    training = completed(TrainingSettings(), TASKS[name]).model_copy(update=longer | begun)
    return Recipe(
        task=name,
        data=None,
        input=InputSettings(
            channels=scale.input_channels, resolution_px=scale.resolution_px, **statistics
        ),
        classes=names or tuple(map(str, range(scale.classes))),
        training=TASKS[name].fitted(training, network.plan.outputs),
        seed=SEED,
        origin=origin,
    )


def _facts(chosen: Preset) -> dict[str, Any]:
    """What the network is built from; no search has measured it."""
    section = scaled_network(chosen.blueprint, chosen.scale)
    size = chosen.scale.to_dict()
    return {"measures": {}, "scales": {}, "genes": {}, SECTION: section, SIZE: size}
