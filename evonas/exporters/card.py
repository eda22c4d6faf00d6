"""README.md of a model folder: what the model is, how good, how to use it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evonas.exporters.file_names import CARD, CHECK, RECIPE, SOURCE
from evonas.exporters.model_folder import Recipe, read_recipe
from evonas.files import write_atomically

TRAINING = "training.json"  # written by a retraining
FACTS = "search.json"  # written by the export: measures of the search, with their scales

USE = """## Use

```python
from model import load          # run in this folder; needs torch and safetensors only

network = load()
logits = network(images)
```

`images` are float32, (batch, {channels}, {resolution}, {resolution}), normalised.

`normalised = (image / 255 - mean) / deviation` with the mean and deviation of each channel in
`{recipe}`. `model.onnx` takes the same input. On image files: `evonas predict {folder} IMAGE...`.

## Retrain

    evonas retrain {folder}
    evonas retrain {folder} data=folder data.path=DIR training.epochs=100
"""


def write_card(folder: Path) -> None:
    """Writes README.md from what the other files of the folder say."""
    recipe = read_recipe(folder)
    origin = recipe.origin
    facts = json.loads((folder / FACTS).read_text())
    text = "\n".join(
        [
            f"# Trial {origin.trial} of run {origin.run}, at {origin.scale} scale",
            "",
            *_training_lines(folder, recipe),
            "",
            "## Measures",
            "",
            "| measure | value | scale | taken |",
            "| --- | --- | --- | --- |",
            *_measure_lines(folder, facts),
            "",
            USE.format(
                channels=recipe.input.channels,
                resolution=recipe.input.resolution_px,
                recipe=RECIPE,
                folder=folder.name,
            ),
            "## Design",
            "",
            *(f"- `{gene}`: {allele}" for gene, allele in facts["genes"].items()),
            "",
            f"The layers stand in `{SOURCE}`, the agreement of its forms in `{CHECK}`.",
        ]
    )
    write_atomically(folder / CARD, (text + "\n").encode())


def _training_lines(folder: Path, recipe: Recipe) -> list[str]:
    file = folder / TRAINING
    data = recipe.data.name if recipe.data else "no data set"
    if file.exists():
        training = json.loads(file.read_text())
        return [
            f"**Test accuracy {training['test_accuracy']:.4f}** on {training['test_images']} "
            f"images of {training['data']} that neither search nor training saw, after "
            f"{training['epochs']} epochs on {training['images']} images."
        ]
    if recipe.origin.scale == "full":
        return [
            "**The weights are freshly initialised**: the search trained a smaller network of this "
            f"design on {data}. Retrain it before use."
        ]
    return [
        f"The weights are those of the search's short training on {data}. The accuracy below is "
        "on validation images that the search chose by, so it flatters: retrain for a test figure."
    ]


def _measure_lines(folder: Path, facts: Mapping[str, Any]) -> list[str]:
    lines = [
        f"| {name} | {value:.6g} | {facts['scales'].get(name, '')} | in the search |"
        for name, value in facts["measures"].items()
    ]
    latency = json.loads((folder / CHECK).read_text())["latency"]
    lines.append(
        f"| latency_ms | {latency['ms']:.4g} | this model | on export, {latency['pairs']} pairs |"
    )
    return lines
