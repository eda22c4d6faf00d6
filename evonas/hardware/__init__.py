"""What the machine says: latency under a fixed protocol, memory, and which machine it was."""

from evonas.hardware.device import device_description, device_fingerprint, usable_cores
from evonas.hardware.latency import (
    Clock,
    Latency,
    clock_noise,
    kept_latency,
    latency_scale,
    reference_ms,
)
from evonas.hardware.runtimes import RUNTIMES, check_runtime

__all__ = [
    "RUNTIMES",
    "Clock",
    "Latency",
    "check_runtime",
    "clock_noise",
    "device_description",
    "device_fingerprint",
    "kept_latency",
    "latency_scale",
    "reference_ms",
    "usable_cores",
]
