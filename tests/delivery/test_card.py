"""What a card says beside the figures that other tests look at."""

from pathlib import Path
from typing import Any

from small_model import made

from evonas.delivery.card import card
from evonas.exporters.file_names import ONNX_INT8, PACKED
from evonas.model_folder.model_folder import CHECKSUMS, COMPRESSION, ModelFolder
from evonas.settings import CompressionSettings

__all__ = ["made"]  # fixtures

FORM = {
    "form": "fp32",
    "file": "model.onnx",
    "accuracy": 0.98765,
    "latency_ms": 2.0,
    "latency_spread": 0.01,
    "size_mib": 1.5,
    "parameters": 400_000,
    "macs": 10_000_000,
    "seconds": None,
}
FACTS: dict[str, Any] = {"measures": {}, "scales": {}, "genes": {}}
LATENCY = {"ms": 1.0, "pairs": 9}


def text(folder: Path, file: str, products: str | None = "avx_vnni", **found: Any) -> str:
    """The card of a model with this last form."""
    last = {**FORM, "form": "last", "file": file, "accuracy": 0.981, "size_mib": 0.4}
    device = {"processor": "A processor", "products_of_8_bits": products}
    forms = {"forms": [FORM, last], "images": "99 test images", "device": device, **found}
    checks = {"latency": LATENCY, CHECKSUMS: {file: ""}, COMPRESSION: forms}
    recipe = ModelFolder.open(folder, ()).recipe
    return " ".join(card(recipe, FACTS, checks, None).split())


def test_forms_stand_side_by_side_with_what_they_were_measured_on(made: Path) -> None:
    told = text(made, ONNX_INT8, within_a_quantum=0.9987)
    assert "| fp32 | model.onnx | 0.9877 | 2 ms | 1.5 MiB | 400 k | 10 M | |" in told
    assert "| last | model.int8.onnx | 0.9810 | 2 ms | 0.4 MiB |" in told
    assert "Scores on 99 test images, latency on A processor, with avx_vnni for 8 bits." in told
    seen_twice = text(made, ONNX_INT8, flip_test=True)
    assert "99 test images, each together with its mirror image, latency of one pass" in seen_twice
    assert "A processor, without VNNI" in text(made, ONNX_INT8, None)
    assert "on 99.9 % of its values" in told
    assert "`model.int8.onnx` is the same in 8 bits" in told


def test_packed_weights_promise_no_speed(made: Path) -> None:
    told = text(made, PACKED)
    assert "smaller and nothing faster" in told
    assert "load_packed(Path(" in told
    assert "of its values" not in told


def test_a_card_without_compression_says_nothing_of_it(made: Path) -> None:
    recipe = ModelFolder.open(made, ()).recipe
    checks = {"latency": LATENCY, CHECKSUMS: {}}
    assert "ompress" not in card(recipe, FACTS, checks, None)
    asked = CompressionSettings.model_validate({"pruning": {"method": "channels"}})
    full = recipe.origin.model_copy(update={"scale": "full"})
    recipe = recipe.model_copy(update={"compression": asked, "origin": full})
    assert "`pruning.method=channels`" in card(recipe, FACTS, checks, None)
