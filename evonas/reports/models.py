"""What export, retrain and predict did, for a terminal."""

from typing import Any

from rich.console import Console
from rich.table import Table

from evonas.reports.format import duration, measure


def print_export(result: dict[str, Any], console: Console) -> None:
    """Where the model is, and that its forms agree."""
    weights = "fresh weights" if result["scale"] == "full" else "trained weights"
    console.print(
        f"Trial {result['number']} of run {result['run']} written to {result['folder']} "
        f"at {result['scale']} scale, with {weights}.",
        markup=False,
        soft_wrap=True,
    )
    for name, value in result["measures"].items():
        scale = result["scales"][name]
        console.print(f"  {name} {measure(name, value)}{f' ({scale})' if scale else ''}")
    checks = result["checks"]
    console.print(
        f"  ONNX and torch differ by {checks['onnx_max_abs_difference']:.1g} at most, "
        f"source and torch by {checks['source_max_abs_difference']:.1g}."
    )
    console.print(f"\nNext: evonas retrain {result['folder']}", markup=False, soft_wrap=True)


def print_retrain(result: dict[str, Any], console: Console) -> None:
    """The test accuracy, which is looked at only here."""
    console.print(
        f"Test accuracy {result['test_accuracy']:.4f} on {result['test_images']} images, after "
        f"{result['epochs']} epochs in {duration(result['seconds'])}. "
        f"Weights, ONNX and card are in {result['folder']}.",
        markup=False,
        soft_wrap=True,
    )


def print_predictions(results: list[dict[str, Any]], console: Console) -> None:
    """One line an image."""
    table = Table("image", "class", "probability")
    for result in results:
        table.add_row(result["image"], result["class"], f"{result['probability']:.3f}")
    console.print(table)
