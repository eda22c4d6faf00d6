"""Which machine this is: figures of one are never compared with those of another."""

import os
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evonas.key import key_of
from evonas.settings import LatencySettings

DEFAULT = LatencySettings()
PRODUCTS = "products_of_8_bits"
PRODUCTS_OF_8_BITS = ("avx512_vnni", "avx_vnni", "asimddp")
PROTOCOL = 3  # of the latency clock: figures of another one are not comparable


@cache
def device_description(runtime: str = DEFAULT.runtime) -> dict[str, Any]:
    """Processor, cores and runtime, of a runtime on the GPU that too: what latency depends on.

    `products_of_8_bits` says how int8 models are computed, which the processor tells already.
    """
    described = {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "onnxruntime": version("onnxruntime"),
        "latency_protocol": PROTOCOL,
        PRODUCTS: products_of_8_bits(),
    }
    if runtime == DEFAULT.runtime:
        return described
    return {**described, "runtime": runtime, "torch": version("torch"), **_gpu(runtime)}


@cache
def device_fingerprint(runtime: str = DEFAULT.runtime, precision: str = DEFAULT.precision) -> str:
    """16 hexadecimal digits for `device_description`, with the precision unless it is fp32."""
    described = {**device_description(runtime)}
    del described[PRODUCTS]  # follows from the processor, and older runs do not have it
    if precision != DEFAULT.precision:
        described = {**described, "precision": precision}
    return key_of(described)


@cache
def products_of_8_bits() -> str | None:
    """The processor's instruction that sums products of 8 bits in 32, by its name in Linux.

    None: it has none, and ONNX Runtime sums pairs in 16 bits, where large ones saturate: weights
    then take 7 bits (`reduce_range` in ONNX Runtime's notes on quantisation).
    """
    if platform.system() == "Darwin" and platform.machine() == "arm64":
        return "asimddp"  # every Apple processor has it
    cpuinfo = Path("/proc/cpuinfo")
    words = set(cpuinfo.read_text().split()) if cpuinfo.exists() else set()
    return next((name for name in PRODUCTS_OF_8_BITS if name in words), None)


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_on_gpu(runtime: str) -> bool:
    """True for the runtimes that work on the first CUDA device."""
    return runtime in ("cuda", "onnxruntime-cuda", "tensorrt")


def _gpu(runtime: str) -> dict[str, Any]:
    if not is_on_gpu(runtime):
        return {}
    import torch  # loading it takes a second, and most who ask for the device need none

    driver = Path("/proc/driver/nvidia/version")
    return {
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none",
        "cuda": torch.version.cuda,
        "driver": driver.read_text().splitlines()[0] if driver.exists() else "unknown",
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
