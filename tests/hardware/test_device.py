import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from evonas.hardware.device import (
    device_description,
    device_fingerprint,
    products_of_8_bits,
    usable_cores,
)
from evonas.key import key_of


def test_a_device_is_told_by_processor_and_runtime() -> None:
    description = device_description()
    assert description["processor"]
    assert description["cores"] == os.cpu_count()
    assert description["onnxruntime"] == version("onnxruntime")
    assert json.loads(json.dumps(description)) == description


def test_the_fingerprint_stands_for_the_description() -> None:
    assert re.fullmatch(r"[0-9a-f]{16}", device_fingerprint())
    described = {**device_description()}
    of_processor = described.pop("products_of_8_bits")
    assert of_processor == products_of_8_bits()
    assert device_fingerprint() == key_of(described)
    assert device_description()["products_of_8_bits"] == of_processor


@pytest.mark.parametrize(
    ("words", "products"),
    [("flags: avx2 avx_vnni", "avx_vnni"), ("Features: asimddp", "asimddp"), ("avx2", None)],
)
def test_how_products_of_8_bits_are_summed_is_read_from_the_processors_words(
    words: str, products: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "read_text", lambda file: words)
    monkeypatch.setattr(Path, "exists", lambda file: True)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert products_of_8_bits.__wrapped__() == products


def test_a_runtime_and_a_precision_of_its_own_is_another_device() -> None:
    assert device_fingerprint("onnxruntime", "fp32") == device_fingerprint()
    runtimes = ["torch", "cuda", "onnxruntime-cuda"]
    others = [device_fingerprint(runtime, "fp32") for runtime in runtimes]
    assert len({device_fingerprint(), device_fingerprint("torch", "bf16"), *others}) == 5


def test_a_runtime_on_the_gpu_is_told_by_gpu_and_driver() -> None:
    assert {"gpu", "cuda", "driver", "torch"} <= device_description("tensorrt").keys()
    assert "gpu" not in device_description("torch")
    assert device_description("torch")["torch"] == version("torch")


def test_two_processes_on_one_device_agree() -> None:
    code = "from evonas.hardware.device import device_fingerprint as f; print(f())"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert other.strip() == device_fingerprint()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinities on this system")
def test_only_cores_that_the_process_may_run_on_are_usable() -> None:
    allowed = os.sched_getaffinity(0)
    assert usable_cores() == len(allowed)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
