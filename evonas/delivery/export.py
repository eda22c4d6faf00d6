"""The winner as a full model: a design of a run, built at a scale and written as a folder."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from evonas.blueprint import Blueprint, scaled_network
from evonas.compression.compress import made_after
from evonas.data.cache import load_data
from evonas.delivery.enlarge import (
    GROUP,
    SIZE,
    Given,
    changes,
    check_size,
    export_size,
    of_the_search,
)
from evonas.delivery.final_compression import SECTION, TAUGHT_BY, on_record, step_kit
from evonas.delivery.form_checks import some_images
from evonas.delivery.ladder import Ladder
from evonas.delivery.model_writer import (
    Model,
    model_files,
    write_model,
)
from evonas.delivery.pick import picked
from evonas.errors import ExportError, SettingsError
from evonas.evaluation.kit import compression_of, recipe_of
from evonas.evaluation.measures import measure_scales
from evonas.exporters.weights import put_weights, read_weights
from evonas.hardware.latency import measured_latency
from evonas.model_folder.model_folder import COMPRESSION, COUNTS
from evonas.model_folder.recipe_file import CLASSIFICATION, InputSettings, OriginSettings, Recipe
from evonas.model_folder.replacement import new_folder
from evonas.models import Network, build
from evonas.runs.run import Run
from evonas.runs.run_folder import weights_file
from evonas.settings import CompressionSettings
from evonas.space import Scale
from evonas.space.run_scales import run_scales
from evonas.tasks import task_of
from evonas.trial import Outcome, Trial


def export(
    run: Run,
    to: str | Path,
    pick: str = "knee",
    where: str | None = None,
    scale: str = "full",
    settings: Given = (),
) -> dict[str, Any]:
    """Writes a design of a run as a model folder, all of it or nothing.

    At proxy scale the model is compressed as it was in the search; at full scale that is left to
    the retraining, by the recipe.

    Args:
        to: The folder to write: new or empty.
        pick: `knee`, `best` (of the first objective), `balanced` (whose worst objective is least
            bad) or a trial's number.
        where: Limits such as `accuracy.min=0.97,latency_ms.max=2`; only designs within count.
        scale: `full` (fresh weights) or `proxy` (the trained ones).
        settings: Another size than that of the search, as words (`["full.width=1.4"]`) or nested
            plain values.

    Returns:
        `number` of the trial, `pick`, why it is the one and what others would cost, `folder`,
        `files`, `checks` (largest differences of the forms from the network), `measures` of the
        search, `enlarged`, what its size is if that is not the search's, `counts` and `latency` of
        this model on this device, and `compression`, how its forms compare, if it is compressed.

    Raises:
        ExportError: No such design, no weights, a folder in use, or forms that disagree.
        SettingsError: A word is wrong, or a size changes nothing.
        BuildError: The design cannot be built at that size.
    """
    to = new_folder(to)
    if not run.space.has_network:
        raise ExportError(
            f"Run {run.name} searched values, not networks: there is nothing to export. Look at "
            f"its designs by evonas inspect {run.name}."
        )
    if scale not in ("full", "proxy"):
        raise ExportError(f'There is no scale called "{scale}". Known: full, proxy.')
    choice = picked(run, pick, where)
    trial, outcome = choice.trial, choice.outcome
    chosen = _scale(run, trial, scale, settings)
    blueprint, network = _network(run, trial, outcome, chosen)
    latency = run.settings.latency
    model = _model(run, trial, outcome, chosen, blueprint, network)
    if scale == "proxy" and made_after(model.recipe.compression):
        model = _compressed(run, trial, model)
    checks = write_model(
        to,
        model,
        lambda network, files: measured_latency(network, files, chosen.input_shape, latency),
    )
    keys = ("onnx_max_abs_difference", "onnx_rounding", "source_max_abs_difference")
    return {
        "run": run.name,
        "number": trial.number,
        "pick": choice.to_dict(),
        "scale": scale,
        "folder": str(to),
        "files": model_files(to),
        "checks": {key: checks[key] for key in keys if key in checks},
        "measures": dict(run.records.measures(trial.number)),
        "scales": model.facts["scales"],
        "enlarged": model.recipe.origin.enlarged,
        "latency": checks["latency"],
        **{key: checks[key] for key in (COUNTS, COMPRESSION) if key in checks},
    }


def _scale(run: Run, trial: Trial, name: str, settings: Given) -> Scale:
    """The scale at which the design is built.

    Raises:
        SettingsError: A word is wrong, or a size changes nothing.
        BuildError: The design cannot be built at that size.
    """
    full = export_size(run.settings.full, settings)
    proxy, old = run.scales
    if name == "proxy":
        if full != run.settings.full:
            raise SettingsError(
                "--scale proxy exports the weights of the search's training, which fit the size "
                "of that alone. Leave it out, or full.*."
            )
        return proxy
    given = run.settings.model_copy(update={GROUP: full})
    _, new = run_scales(run.space, given, run.facts["data"])
    check_size(trial.blueprint, old, new, full)
    return new


def _network(run: Run, trial: Trial, outcome: Outcome, scale: Scale) -> tuple[Blueprint, Network]:
    """The network, and the blueprint that it is built from.

    Trained weights may be those of an equal network that is written in another way: then they
    belong into that one.
    """
    blueprint = trial.blueprint
    network = build(blueprint, scale, seed=trial.seed)
    if scale.name == "proxy" and run.settings.evaluator.trains:
        owner = trial.number if outcome.source is None else outcome.source
        blueprint = run.records.trials[owner].blueprint
        network = build(blueprint, scale, seed=trial.seed)
        file = weights_file(run.folder, owner)
        if not file.exists():
            raise ExportError(
                f"The trained weights of trial {trial.number} were not kept: only those of the "
                "front and of the best ten are. Export it with --scale full."
            )
        try:
            weights = read_weights(file, run.records.outcomes[owner].notes.weights_sha256)
            put_weights(network, weights, file)
        except ExportError as problem:
            raise ExportError(
                f"{problem} Nothing was exported. Export another trial, or this one's design with "
                "--scale full."
            ) from None
    return blueprint, network


def _model(
    run: Run,
    trial: Trial,
    outcome: Outcome,
    scale: Scale,
    blueprint: Blueprint,
    network: Network,
) -> Model:
    recipe = _recipe(run, trial, scale)
    scales = measure_scales(run.settings, outcome.measures)
    facts = {
        "measures": dict(run.records.measures(trial.number)),
        "scales": of_the_search(scales) if recipe.origin.enlarged else scales,
        "genes": run.space.alleles(trial.chromosome),
        SECTION: scaled_network(blueprint, scale),
        SIZE: scale.to_dict(),
    }
    teacher = outcome.details.get(TAUGHT_BY)
    facts |= {} if teacher is None else {TAUGHT_BY: teacher}
    task = task_of(recipe.problem)
    training = task.fitted(recipe.training, network.plan.outputs)
    if scale.name == "proxy" and run.settings.evaluator.trains:
        training = task.adapted(training, network)
    else:
        training = task.enlarged(training, scale.resolution_px / run.scales[0].resolution_px)
    recipe = recipe.model_copy(update={"training": training})
    return Model(recipe, blueprint.to_dict(), facts, network)


def _compressed(run: Run, trial: Trial, model: Model) -> Model:
    """The model as the search compressed it: steps give the same again from the trial's seed."""
    recipe, settings = model.recipe, run.settings
    short = recipe.model_copy(update={"training": recipe_of(settings.training, trial.blueprint)})
    data = load_data(settings.data, recipe.input.resolution_px)
    torch.set_num_threads(1)  # as trials are trained, with maps in this order: the same sums
    model.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    kit = step_kit(short, recipe.compression, model.facts, data.train)
    ladder = Ladder(kit, "validation", data.validation, settings.latency)
    ladder.climb(model.network)
    last = ladder.last
    facts = on_record(model.facts, last.compressed.section, recipe.compression)
    images = some_images(data.validation, recipe.problem)
    return replace(model, facts=facts, network=last.network, ladder=ladder, images=images)


def _retrainable(compression: CompressionSettings) -> CompressionSettings:
    """The steps that a retraining can take: the best of a run teaches in a search alone."""
    if compression.distillation.teacher != "best":
        return compression
    return compression.model_copy(update={"distillation": CompressionSettings().distillation})


def _recipe(run: Run, trial: Trial, scale: Scale) -> Recipe:
    data = run.facts["data"]
    settings = run.settings
    longer = {"epochs": settings.full.epochs, "translate": settings.full.translate}
    training = recipe_of(settings.training.model_copy(update=longer), trial.blueprint)
    return Recipe(
        task=data.get("task", CLASSIFICATION) if data else CLASSIFICATION,
        data=settings.data if data else None,
        input=InputSettings(
            channels=scale.input_channels,
            resolution_px=scale.resolution_px,
            mean=data["mean"] if data else None,
            deviation=data["deviation"] if data else None,
        ),
        classes=data["classes"] if data else tuple(str(n) for n in range(scale.classes)),
        training=training,
        compression=_retrainable(compression_of(settings.compression, trial.blueprint)),
        seed=trial.seed,
        origin=OriginSettings(
            run=run.name,
            trial=trial.number,
            scale=scale.name,
            enlarged=changes(run.scales[1], scale) if scale.name == "full" else {},
        ),
    )
