"""README.md of a model folder: what the model is, how good, how to use it."""

from collections.abc import Mapping
from typing import Any

from evonas.delivery.compression_lines import form_lines, step_lines, teacher_lines
from evonas.delivery.result_lines import class_lines, curve_lines
from evonas.exporters.file_names import (
    BASE,
    CHECK,
    ONNX_INT8,
    ONNX_NMS,
    PACKED,
    RECIPE,
    SOURCE,
)
from evonas.model_folder.model_folder import CHECKSUMS, COUNTS
from evonas.model_folder.recipe_file import OriginSettings, Recipe
from evonas.networks.problem import told_classes
from evonas.presets import preset
from evonas.reports.epochs import told_epochs
from evonas.reports.flip_test import FLIP_TEST_MS, told_flip
from evonas.reports.sizes import told_sizes
from evonas.tasks import task_of, test_scores

USE = """## Use

```python
from model import {names}load          # run in this folder; needs torch and safetensors only

network = load()
{call}
```

`images` are float32, (batch, {channels}, {resolution}, {resolution}), normalised.

`normalised = (image / 255 - mean) / deviation` with the mean and deviation of each channel in
`{recipe}`. `model.onnx` takes the same input.{also} On image files, in this folder:

    evonas predict . IMAGE...

## Retrain

`{recipe}` is there to be edited, `{check}` holds the checksums of the files. In this folder:

    evonas retrain .
    evonas retrain . data=folder data.path=DIR training.epochs=100
"""

INT8 = f" `{ONNX_INT8}` is the same in 8 bits, and what `evonas predict` runs."

PACKED_WEIGHTS = f"""
`load_packed(Path("{PACKED}"))` of `model.py` gives the weights of that file; the
network takes them by `network.load_state_dict(weights, strict=False)`."""

SUPPRESSED = f""" It gives `boxes`
and `scores` of all points. `{ONNX_NMS}` takes one image, suppresses double boxes, and gives `boxes`
(k, 4) in px of its input, `scores` (k,) and `classes` (k,), the best first."""


ALSO = {ONNX_NMS: SUPPRESSED, ONNX_INT8: INT8, PACKED: PACKED_WEIGHTS}


def card(
    recipe: Recipe,
    facts: Mapping[str, Any],
    checks: Mapping[str, Any],
    training: Mapping[str, Any] | None,
) -> str:
    """The text of README.md.

    Args:
        facts: Measures, scales and genes of the search.
        checks: What check.json holds.
        training: What training.json holds, if there was a retraining.
    """
    names, call = task_of(recipe.problem).usage(recipe.training)
    lines = [
        f"# {_title(recipe.origin)}",
        "",
        *_training_lines(recipe, facts, training),
        *_flip_lines(recipe),
        *teacher_lines(facts, recipe.origin.run),
        "",
        *form_lines(checks),
        *curve_lines(training, checks),
        *class_lines(training, checks),
        "## Measures",
        "",
        "| measure | value | scale | taken |",
        "| --- | --- | --- | --- |",
        *_measure_lines(facts, checks),
        "",
        USE.format(
            names=names,
            call=call,
            also="".join(text for file, text in ALSO.items() if file in checks[CHECKSUMS]),
            channels=recipe.input.channels,
            resolution=recipe.input.resolution_px,
            recipe=RECIPE,
            check=CHECK,
        ),
        *_design_lines(facts),
        f"The layers stand in `{SOURCE}`, the agreement of its forms in `{CHECK}`.",
    ]
    return "\n".join(lines) + "\n"


def _design_lines(facts: Mapping[str, Any]) -> list[str]:
    """The genes, of what a search found."""
    genes = [f"- `{gene}`: {allele}" for gene, allele in facts["genes"].items()]
    return ["## Design", "", *genes, *([""] if genes else [])]


def _title(origin: OriginSettings) -> str:
    if origin.preset is None:
        named = f"Trial {origin.trial} of run {origin.run}, at {origin.scale} scale"
    else:
        named = f"{origin.preset}: {preset(origin.preset).title}"
    return named + _size(origin)


def _training_lines(
    recipe: Recipe, facts: Mapping[str, Any], training: Mapping[str, Any] | None
) -> list[str]:
    data = recipe.data.name if recipe.data else "no data set"
    if training is not None:
        main, *others = test_scores(training)
        also = f" ({', '.join(others)})" if others else ""
        return [
            f"**Test {main}**{also} on {training['test_images']} "
            f"images of {training['data']} that neither search nor training saw"
            f"{told_flip(training) or ','} after "
            f"{told_epochs(training)} on {training['images']} images.",
            *_transfer_lines(facts),
        ]
    if recipe.origin.preset is not None:
        return _published_lines(recipe)
    if recipe.origin.scale == "full":
        return [
            "**The weights are freshly initialised**: the search trained a smaller network of this "
            f"design on {data}. Retrain it before use.",
            *step_lines(recipe),
        ]
    task = task_of(recipe.problem)
    return [
        f"The weights are those of the search's short training on {data}. "
        f"The {task.measures[task.main].title} below is "
        "on validation images that the search chose by, so it flatters: retrain for a test figure."
    ]


def _transfer_lines(facts: Mapping[str, Any]) -> list[str]:
    """What the weights knew before, if the training began with some of other classes."""
    known = facts.get("transferred_from")
    if not known:
        return []
    return [f"It began with weights that knew {told_classes(known)} (`{BASE}`)."]


def _published_lines(recipe: Recipe) -> list[str]:
    """Whose the weights of a published network are."""
    if recipe.origin.weights is None:
        return [
            "**The weights are freshly initialised**: this is a published network without what it "
            "learnt. Retrain it before use."
        ]
    lines = [f"The weights are those of `{recipe.origin.weights}`."]
    if recipe.input.mean is None:
        lines.append(
            "Nobody said how its images were normalised, so that `evonas predict` refuses it: "
            "export it with `--mean` and `--deviation`, or retrain it."
        )
    return lines


def _flip_lines(recipe: Recipe) -> list[str]:
    """Whose scores these are, and that `model.py` alone gives others."""
    if not recipe.training.flip_test:
        return []
    return [
        "",
        "Scores, and what `evonas predict` says, are of an image and of its mirror image together "
        f"(`training.flip_test`): `{FLIP_TEST_MS}`. One pass through `model.py` or `model.onnx`, "
        "which `latency_ms` is of, sees less.",
    ]


def _size(origin: OriginSettings) -> str:
    return f", enlarged: {told_sizes(origin.enlarged)}" if origin.enlarged else ""


def _measure_lines(facts: Mapping[str, Any], checks: Mapping[str, Any]) -> list[str]:
    latency = checks["latency"]
    lines = [
        f"| {name} | {value:.6g} | {facts['scales'].get(name, '')} | in the search |"
        for name, value in facts["measures"].items()
    ]
    lines += [
        f"| {name} | {value:,} | this model | counted |"
        for name, value in checks.get(COUNTS, {}).items()
    ]
    lines.append(
        f"| latency_ms | {latency['ms']:.4g} | this model | on export, {latency['pairs']} pairs |"
    )
    if FLIP_TEST_MS in latency:
        ms = latency[FLIP_TEST_MS]
        lines.append(
            f"| {FLIP_TEST_MS} | {ms:.4g} | this model | twice that: two passes an image |"
        )
    return lines
