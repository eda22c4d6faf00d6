"""`evonas latency`: published networks and exported models, measured by hand."""

import json
from pathlib import Path

import pytest
from conftest import typed

from evonas.hardware.device import device_fingerprint

QUICK = ["full.resolution_px=32", "latency.limit_s=0.2"]


def test_a_published_network_has_the_keys_that_scripts_rely_on() -> None:
    result = typed("latency", "mobilenet_v1_025", *QUICK, "latency.batch=2", "--json")
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    assert found["ms"] == pytest.approx(found["ratio"] * found["reference_ms"])
    assert 0 < found["spread"] < 1
    assert found["pairs"] >= 20
    assert (found["input"], found["batch"]) == ([3, 32, 32], 2)
    assert (found["runtime"], found["precision"], found["threads"]) == ("onnxruntime", "fp32", 1)
    assert found["device_fingerprint"] == device_fingerprint()


def test_the_table_says_milliseconds_spread_runtime_and_device() -> None:
    shown = typed("latency", "mobilenet_v1_025", *QUICK).stdout
    assert "mobilenet_v1_025: " in shown
    assert " ms +- " in shown
    assert "for 1 image of 3x32x32" in shown
    assert "onnxruntime in fp32 on 1 thread" in shown
    assert device_fingerprint() in shown


@pytest.mark.slow
@pytest.mark.parametrize("runtime", ["onnxruntime", "torch"])
def test_an_exported_model_is_measured_in_the_form_that_the_runtime_takes(
    run_copy: Path, runtime: str
) -> None:
    assert typed("export", "finished", "--to", "model").returncode == 0
    words = [f"latency.runtime={runtime}", "latency.limit_s=0.2", "--json"]
    found = json.loads(typed("latency", "model", *words).stdout)
    assert found["runtime"] == runtime
    assert found["ms"] > 0
    refused = typed("latency", "model", "latency.resolution_px=64")
    assert refused.returncode == 2
    assert "an exported model has its own resolution" in refused.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mobilnet_v2"], 'no model called "mobilnet_v2". Did you mean "mobilenet_v2"?'),
        (["./nowhere"], "There is no model folder nowhere"),
        (["mobilenet_v2", "data=digits"], "data=digits: the latency of a published network takes"),
        (["mobilenet_v2", "full.phi=1"], "full.phi=1: the latency of a published network takes"),
        (["mobilenet_v2", "latency.runtime=tensor"], "latency.runtime=tensor: input should be"),
        (["mobilenet_v2", "latency.precision=bf16"], "bf16 is for torch, torch-inductor, cuda"),
        (["mobilenet_v2", "full.resolution_px=16"], "total stride of 32"),
    ],
)
def test_mistakes_are_told(words: list[str], message: str) -> None:
    result = typed("latency", *words)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_a_search_asks_for_its_runtime_before_it_makes_a_folder(working_folder: Path) -> None:
    result = typed("search", "space=nano", "latency.precision=fp16", "budget.evaluations=1")
    assert result.returncode == 2
    assert "latency.precision=fp16: onnxruntime has no kernels for it" in result.stderr
    assert not (working_folder / "runs").exists()
