"""Which machine this is: figures of one are never compared with those of another."""

import os
import platform
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from evonas.key import key_of


@cache
def device_description() -> dict[str, Any]:
    """Processor, cores and runtime: what a latency figure depends on."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "onnxruntime": version("onnxruntime"),
    }


@cache
def device_fingerprint() -> str:
    """16 hexadecimal digits for `device_description`."""
    return key_of(device_description())


def usable_cores() -> int:
    """Cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
