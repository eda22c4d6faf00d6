"""The latency of an exported model or of a published network, for a terminal."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from evonas.reports.flip_test import FLIP_TEST_MS
from evonas.reports.format import number


def print_latency(summary: Mapping[str, Any], console: Console) -> None:
    """The figure with its spread, then what it rests on."""
    shape = "x".join(map(str, summary["input"]))
    images = "1 image" if summary["batch"] == 1 else f"{summary['batch']} images"
    console.print(
        f"{summary['name']}: {number(summary['ms'])} ms +- {100 * summary['spread']:.1f} % "
        f"for {images} of {shape}",
        soft_wrap=True,
    )
    if FLIP_TEST_MS in summary:
        told = f"{number(summary[FLIP_TEST_MS])} ms for an image and its mirror image"
        told += ", as training.flip_test of its recipe has it: two passes."
        console.print(told, soft_wrap=True)
    grid = Table.grid(padding=(0, 2))
    precision, threads = summary["precision"], summary["threads"]
    work = f"{summary['runtime']} in {precision} on {threads} thread{'s' * (threads > 1)}"
    if summary["file"] is not None:
        grid.add_row("file", summary["file"])
    grid.add_row("runtime", work)
    described = summary["device"]
    processor = described.get("gpu") or described["processor"]
    grid.add_row("device", f"{processor} ({summary['device_fingerprint']})")
    grid.add_row(
        "reference",
        f"{number(summary['ratio'])} times MobileNetV2 at 96 px, which takes "
        f"{number(summary['reference_ms'])} ms here; {summary['pairs']} pairs",
    )
    console.print(grid)
