"""What a card says of compression: how the forms compare, what a retraining will do."""

from collections.abc import Mapping
from typing import Any

from evonas.exporters.file_names import ONNX_INT8, PACKED
from evonas.model_folder.model_folder import COMPRESSION
from evonas.model_folder.recipe_file import Recipe
from evonas.reports.forms_table import PACKED_ARE_SMALL, forms_table, measured_on


def form_lines(checks: Mapping[str, Any]) -> list[str]:
    """How the forms of a compressed model compare."""
    found = checks.get(COMPRESSION)
    if found is None:
        return []
    heads, *rows = forms_table(found)
    is_packed = any(form["file"] == PACKED for form in found["forms"])
    return [
        "## Compression",
        "",
        f"| {' | '.join(heads)} |",
        f"| {' | '.join('---' for _ in heads)} |",
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        f"{measured_on(found)} The last form is what is deployed; `model.py` and `model.onnx` are "
        "that network with 32 bits.",
        *([PACKED_ARE_SMALL] if is_packed else []),
        *_quantum_lines(found),
        "",
    ]


def _quantum_lines(found: Mapping[str, Any]) -> list[str]:
    """Whether 8 bits in ONNX Runtime are those that the network was made for."""
    share = found.get("within_a_quantum")
    if share is None:
        return []
    return [
        f"`{ONNX_INT8}` is at most one step of 8 bits from the network that was quantised on "
        f"{100 * share:.1f} % of its values."
    ]


def teacher_lines(facts: Mapping[str, Any], run: str | None) -> list[str]:
    """Whom the network learnt from in the search."""
    teacher = facts.get("taught_by")
    if teacher is None:
        return []
    named = f"trial {teacher} of run {run}" if isinstance(teacher, int) else f"`{teacher}`"
    return ["", f"In the search it learnt from {named}, beside the labels."]


def step_lines(recipe: Recipe) -> list[str]:
    """What a retraining does beside training."""
    steps = recipe.compression.meant()
    if not steps:
        return []
    told = ", ".join(f"`{step}.method={own['method']}`" for step, own in steps.items())
    return [
        "",
        f"A retraining compresses it by the recipe: {told}. Latency, size and counts of the search "
        "are of the compressed network, scores too; the other latency below is of this one.",
    ]
