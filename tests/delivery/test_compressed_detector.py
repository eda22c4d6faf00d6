"""A detector through all of it: two outputs, of which 8 bits are those that are scored."""

import json
import shutil
from pathlib import Path

import onnx
import pytest
from PIL import Image
from small_model import detector, made_detector

from evonas import compress, predict, retrain
from evonas.exporters.file_names import CHECK, EXAMPLES, ONNX, ONNX_INT8, ONNX_NMS, PACKED

__all__ = ["detector", "made_detector"]  # fixtures

INT8 = "compression.quantisation.method=int8"
PRUNE = ["compression.pruning.method=channels", "compression.pruning.epochs=0"]
PACK = "compression.quantisation.method=weights"


@pytest.mark.slow
def test_a_detector_is_retrained_to_8_bits_and_compressed_further(detector: Path) -> None:
    result = retrain(detector, ["training.epochs=2", "training.confidence=0.001", INT8])
    forms = result["compression"]["forms"]
    assert [form["file"] for form in forms] == [ONNX, ONNX_INT8]
    assert result["test_map50_95"] == forms[-1]["map50_95"]
    assert 0 <= forms[-1]["map50_95"] <= 1
    outputs = [output.name for output in onnx.load(detector / ONNX_INT8).graph.output]
    assert outputs == ["boxes", "scores"]
    assert (detector / ONNX_NMS).is_file()
    assert (detector / EXAMPLES).is_file()
    assert json.loads((detector / CHECK).read_text())["compression"]["within_a_quantum"] > 0.9

    Image.new("RGB", (40, 30)).save("image.png")
    (said,) = predict(detector, ["image.png"])
    assert said["model"] == ONNX_INT8
    assert {*said} == {"image", "boxes", "model"}

    pruned = compress(detector, [*PRUNE, PACK])
    one, narrow, packed = pruned["forms"]
    assert one["macs"] > narrow["macs"] == packed["macs"]
    assert (Path(pruned["folder"]) / PACKED).stat().st_size < one["size_mib"] * 2**20 / 2
    # It still has all that a training needs.
    again = retrain(shutil.copytree(pruned["folder"], "again"), ["training.epochs=1"])
    assert [form["file"] for form in again["compression"]["forms"]] == [ONNX, PACKED]
