"""What is timed of a detector: what is shipped, without decoding, with suppression inside."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from detectors import blueprint, detector

from evonas.driver.preparation import check
from evonas.errors import SettingsError
from evonas.evaluation.artefact import CANDIDATES, Artefact, suppressed, undecoded
from evonas.evaluation.bench import Bench
from evonas.evaluation.kit import Kit
from evonas.hardware.runtimes import some_images
from evonas.models import count
from evonas.networks import Scale
from evonas.settings import Settings, Words

SCALE = Scale("full", resolution_px=64, classes=3)
ONE_TO_ONE = blueprint(detector(head={"one_to_one": True}))


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """With a cache of its own."""
    monkeypatch.setenv("EVONAS_CACHE", str(tmp_path))
    return Bench(Kit(Settings(), replace(SCALE, name="proxy"), SCALE, tmp_path, 1.0), ONE_TO_ONE)


def artefact() -> Artefact:
    kit = Kit(Settings(), SCALE, SCALE, Path(), 1.0)
    return Bench(kit, ONE_TO_ONE).artefact(SCALE)


def outputs(model: bytes) -> list[str]:
    return [output.name for output in onnx.load_from_string(model).graph.output]


@pytest.mark.slow
def test_the_three_forms_are_measured_by_the_same_clock(bench: Bench) -> None:
    names = ("latency_ms", "latency_raw_ms", "latency_nms_ms")
    one_branch = Bench(bench.kit, blueprint(detector()))
    measured = {name: one_branch.take(name) for name in names}
    assert all(value > 0 for value in measured.values())
    assert len(one_branch.latencies_taken) == 3


@pytest.mark.slow
def test_of_a_one_to_one_head_nothing_is_suppressed_and_one_latency_is_measured(
    bench: Bench,
) -> None:
    assert bench.take("latency_nms_ms") == bench.take("latency_ms") > 0
    assert len(bench.latencies_taken) == 1


def test_what_is_counted_is_deployed(bench: Bench) -> None:
    trained = bench.plan(SCALE)
    assert bench.take("parameters") == count(trained.as_deployed()).parameters
    assert bench.take("parameters") < count(trained).parameters
    assert bench.take("macs") == count(trained.as_deployed()).macs
    assert bench.deployed_plan(SCALE) == bench.artefact(SCALE).plan == trained.as_deployed()


def test_each_form_gives_what_its_latency_is_of() -> None:
    whole = artefact()
    forms = [whole, undecoded(whole), suppressed(whole)]
    assert [outputs(each.model) for each in forms] == [
        ["boxes", "scores"],
        ["logits", "distances"],
        ["boxes", "scores", "classes"],
    ]
    assert len({each.key for each in forms}) == 3


def test_suppression_is_timed_on_a_crowded_image() -> None:
    model = suppressed(artefact()).model
    proto = onnx.load_from_string(model)
    kept = proto.graph.output.add()
    kept.name = "kept"
    kept.type.tensor_type.elem_type = onnx.TensorProto.INT64
    for node in proto.graph.node:
        if node.op_type == "NonMaxSuppression":  # that keeps all that it looks at
            node.input[2], node.input[3] = "all", "whole"
    graph = proto.graph
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([10**6]), "all"))
    graph.initializer.append(onnx.numpy_helper.from_array(np.array([1], np.float32), "whole"))
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (rows,) = session.run(["kept"], {"images": some_images((1, 3, 64, 64))})
    assert abs(len(rows) - min(CANDIDATES, 3 * (8 * 8 + 4 * 4) - 1)) <= 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ["space=nano", "objectives=accuracy,latency_raw_ms"],
            "data=digits is for classification, which has no latency_raw_ms",
        ),
        (
            ["space=nano", "constraints.latency_nms_ms.max=5"],
            "data=digits is for classification, which has no latency_nms_ms",
        ),
        (
            ["space=nano", "objectives=latency_nms_ms", "latency.batch=2"],
            "latency_nms_ms is of one image, got latency.batch=2",
        ),
        (
            ["space=nano", "objectives=latency_nms_ms", "latency.runtime=torch"],
            "latency_nms_ms is of an ONNX model, and latency.runtime=torch times torch networks",
        ),
    ],
)
def test_what_cannot_be_measured_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        check(Words(words), None)
    assert said in str(error.value)
