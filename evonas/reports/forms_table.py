"""How the forms of a compressed model compare: the rows of a table, for cards and terminals."""

from collections.abc import Mapping
from typing import Any

from evonas.reports.flip_test import told_flip
from evonas.reports.format import duration, number

HEADS = ("form", "file", "score", "latency", "size", "parameters", "macs", "took")
PACKED_ARE_SMALL = (
    "Packed weights make the file smaller and nothing faster: they are unpacked before they are "
    "used, so the latency is that of the form above."
)


def forms_table(found: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Heads and a row for each form; `found` is what check.json says under `compression`."""
    forms = found["forms"]
    score = next(key for key in forms[0] if key not in ("form", "file"))
    heads = [score if head == "score" else head for head in HEADS]
    return [tuple(heads), *(_row(form, score) for form in forms)]


def _row(form: Mapping[str, Any], score: str) -> tuple[str, ...]:
    return (
        form["form"],
        form["file"],
        f"{form[score]:.4f}",
        f"{number(form['latency_ms'])} ms",
        f"{number(form['size_mib'])} MiB",
        number(form["parameters"]),
        number(form["macs"]),
        "" if form["seconds"] is None else duration(form["seconds"]),
    )


def measured_on(found: Mapping[str, Any]) -> str:
    """The images and the machine that a table of forms is of, as a sentence."""
    device = found["device"]
    where = device.get("gpu") or f"{device['processor']}, {_products(device)}"
    flip = told_flip(found)
    latency = "latency of one pass of two" if flip else "latency"
    return f"Scores on {found['images']}{flip or ','} {latency} on {where}."


def _products(device: Mapping[str, Any]) -> str:
    """By which instruction a processor computes in 8 bits, if it has one for that."""
    named = device.get("products_of_8_bits")
    return f"with {named} for 8 bits" if named else "without VNNI, so that 8 bits gain little"
