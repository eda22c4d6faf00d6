"""Published networks in figures; what export, retrain and predict did, for a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

from evonas.blueprint import plan_network
from evonas.exporters.file_names import PACKED
from evonas.models import LayerCount, count, count_layers
from evonas.presets import Preset
from evonas.presets.resizing import sized
from evonas.reports.escape import printable
from evonas.reports.format import measure, number
from evonas.reports.forms_table import PACKED_ARE_SMALL, forms_table, measured_on
from evonas.reports.sizes import told_sizes

SHOWN = 3  # names in a message
COLUMNS = ("parameters", "macs", "receptive_field_px", "jump_px")  # of a layer's line


def model_summary(
    preset: Preset, shape: str | None, classes: int | None, with_layers: bool = False
) -> dict[str, Any]:
    """A published network with its counts, as published or at another input (`3x96x96`).

    Args:
        with_layers: Also what each of its layers costs and gives, under `layers`.

    Raises:
        BuildError: The shape is none, or the network's strides leave nothing of it.
    """
    scale = sized(preset, shape, classes).scale
    plan = plan_network(preset.blueprint, scale)
    counted = count(plan)
    layers = [_layer_summary(layer) for layer in count_layers(plan)] if with_layers else []
    return {
        "name": preset.name,
        "title": preset.title,
        "parameters": counted.parameters,
        "macs": counted.macs,
        "input": list(scale.input_shape),
        "classes": scale.classes,
        "width": scale.width,
        "depth": scale.depth,
        "fingerprint": preset.blueprint.fingerprint,
        **({"layers": layers} if with_layers else {}),
    }


def _layer_summary(layer: LayerCount) -> dict[str, Any]:
    return {
        "name": layer.name,
        "kind": layer.module,
        "output": list(layer.maps.shape),
        "parameters": layer.count.parameters,
        "macs": layer.count.macs,
        "receptive_field_px": layer.maps.receptive_field_px,
        "jump_px": layer.maps.jump_px,
    }


def print_models(models: list[dict[str, Any]], console: Console) -> None:
    """One line a network."""
    table = Table("model", "parameters", "macs", "input", "from")
    for model in models:
        figures = (number(model["parameters"]), number(model["macs"]))
        table.add_row(model["name"], *figures, _shape(model["input"]), model["title"])
    console.print(table)


def print_model(model: dict[str, Any], console: Console) -> None:
    """All figures of one network."""
    grid = Table.grid(padding=(0, 2))
    for key, value in model.items():
        grid.add_row(key, f"{value:,}" if key in ("parameters", "macs") else str(value))
    console.print(grid)


def print_model_table(model: dict[str, Any], console: Console) -> None:
    """One line a layer, and the sums; what sees the whole image has no receptive field."""
    table = Table(show_footer=True)
    table.add_column("layer", "total")
    table.add_column("kind")
    table.add_column("output", justify="right")
    for column in ("parameters", "macs"):
        table.add_column(column, f"{model[column]:,}", justify="right")
    for column in ("receptive field px", "jump px"):
        table.add_column(column, justify="right")
    for layer in model["layers"]:
        figures = ["" if layer[key] is None else f"{layer[key]:,}" for key in COLUMNS]
        table.add_row(layer["name"], layer["kind"], _shape(layer["output"]), *figures)
    console.print(f"{model['title']}, input {_shape(model['input'])}")
    console.print(table)


def _shape(lengths: list[int]) -> str:
    return "x".join(map(str, lengths))


def print_conversion(result: dict[str, Any], console: Console) -> None:
    """What was read of a file, what it does not have, and how a training begins with it."""
    seen = result["images_seen"]
    after = "" if seen is None else f", after {seen:,} images"
    console.print(
        f"{result['file']} ({result['origin']}{after}): {result['numbers']:,} numbers are "
        f"{result['layers_read']} of {result['layers']} layers of {result['preset']} with "
        f"{result['classes']} classes.",
        soft_wrap=True,
    )
    missing = result["missing"]
    if missing:
        more = ", ..." if len(missing) > SHOWN else ""
        console.print(
            f"The file ends there. A training draws {len(missing)} tensors anew: "
            f"{', '.join(missing[:SHOWN])}{more}.",
            soft_wrap=True,
        )
    if result["left_out"]:
        console.print(
            f"{len(result['left_out'])} layers that only a training needs are left out, from "
            f"{result['left_out'][0]} on.",
            soft_wrap=True,
        )
    if result["proof"] is not None or result["alike"]:
        console.print(_told_proof(result), soft_wrap=True)
    console.print(
        f"{result['tensors']} tensors written to {result['written']}. Begin with them by "
        f"training.weights={result['written']}",
        soft_wrap=True,
    )


def _told_proof(result: dict[str, Any]) -> str:
    """Whether the weights are where they belong, and how that is known."""
    proof = result["proof"]
    if proof is None:
        return (
            f"Where they belong follows from order, shape and role; {result['alike']} layers look "
            "like another. What their own program gives would prove it: see --output."
        )
    if proof["by"] == "names":
        return (
            "With these names they are where they belong: torchvision's or timm's network and this "
            "one gave the same numbers. What their own program gives would prove its function "
            "besides: see --output."
        )
    if proof["by"] == "fingerprint":
        return f"The function is proved by its fingerprint at {proof['side_px']} px."
    return (
        f"Proved by {proof['numbers']} numbers of the output, which differ by "
        f"{proof['difference']:.1g} of the largest."
    )


def print_export(result: dict[str, Any], console: Console) -> None:
    """Where the model is, and that its forms agree."""
    weights = "fresh weights" if result["scale"] == "full" else "trained weights"
    console.print(
        f"Trial {result['number']} of run {result['run']} written to {result['folder']} "
        f"at {result['scale']} scale, with {weights}.",
        soft_wrap=True,
    )
    print_pick(result["pick"], console)
    if result["enlarged"]:
        print_size(result, console)
    for name, value in result["measures"].items():
        scale = result["scales"][name]
        console.print(f"  {name} {measure(name, value)}{f' ({scale})' if scale else ''}")
    _print_checks(result["checks"], console)
    if "compression" in result:
        print_forms(result["compression"], console)
    console.print(f"\nNext: evonas retrain {result['folder']}", soft_wrap=True)


def _print_checks(checks: dict[str, Any], console: Console) -> None:
    """That the forms agree."""
    console.print(
        f"  ONNX and torch differ by {checks['onnx_max_abs_difference']:.1g} at most, "
        f"source and torch by {checks['source_max_abs_difference']:.1g}."
    )
    if "onnx_rounding" in checks:
        console.print(
            "  That is with 64 bits. With 32 the difference is "
            f"{checks['onnx_rounding']:.1g}: this network multiplies rounding, in torch as well."
        )


def print_preset_export(result: dict[str, Any], console: Console) -> None:
    """Where the model is, whose its weights are, and what it costs."""
    weights = (
        "fresh weights" if result["weights"] is None else f"the weights of {result['weights']}"
    )
    console.print(
        f"{result['preset']} of {_shape(result['input'])} images and {result['classes']} classes "
        f"written to {result['folder']}, with {weights}.",
        soft_wrap=True,
    )
    for name, value in {**result["counts"], "latency_ms": result["latency"]["ms"]}.items():
        console.print(f"  {name} {measure(name, value)}")
    _print_checks(result["checks"], console)
    data = "detection" if result["task"] == "detection" else "folder"
    console.print(
        f"\nNext: evonas retrain {result['folder']} data={data} data.path=DIR", soft_wrap=True
    )


def print_exports(result: dict[str, Any], console: Console) -> None:
    """A line for each model of a front."""
    names = list(result["models"][0]["measures"])
    table = Table("folder", *names)
    for model in result["models"]:
        shown = [measure(name, model["measures"][name]) for name in names]
        table.add_row(model["folder"], *shown)
    console.print(table)
    sizes = result["models"][0]["enlarged"]
    if sizes:
        console.print(
            f"They are not as large as in the search, which measured this: {told_sizes(sizes)}.",
            soft_wrap=True,
        )
    console.print(f"\nNext: evonas retrain {result['models'][0]['folder']}", soft_wrap=True)


def print_pick(pick: dict[str, Any], console: Console) -> None:
    """Why it is this design, and what others would cost."""
    if pick["why"]:
        console.print(f"  It is {pick['why']}.", soft_wrap=True)
    for other in pick["others"]:
        console.print(f"  {other['told']}", soft_wrap=True)


def print_size(result: dict[str, Any], console: Console) -> None:
    """How large an enlarged network is."""
    counts = result["counts"]
    console.print(
        f"  It is not as large as in the search: {told_sizes(result['enlarged'])}. So it has "
        f"{counts['parameters']:,} parameters and takes {counts['macs']:,} multiply-adds and "
        f"{measure('latency_ms', result['latency']['ms'])}.",
        soft_wrap=True,
    )


def print_compress(result: dict[str, Any], console: Console) -> None:
    """The forms side by side, and where the last one is."""
    print_forms(result, console)
    console.print(f"Written to {result['folder']}.", soft_wrap=True)


def print_forms(found: dict[str, Any], console: Console) -> None:
    """How the forms of a compressed model compare."""
    heads, *rows = forms_table(found)
    table = Table(*heads)
    for row in rows:
        table.add_row(*row)
    console.print(table)
    console.print(measured_on(found), soft_wrap=True)
    if any(form["file"] == PACKED for form in found["forms"]):
        console.print(PACKED_ARE_SMALL, soft_wrap=True)


def print_predictions(lines: list[dict[str, str | float]], console: Console) -> None:
    """A line for each image."""
    table = Table()
    for head in lines[0]:
        table.add_column(head, overflow="fold")
    for line in lines:
        table.add_row(*map(_cell, line.values()))
    console.print(table)


def _cell(value: str | float) -> str:
    return printable(value) if isinstance(value, str) else f"{value:.3f}"
