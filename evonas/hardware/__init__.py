"""What the machine says: latency under a fixed protocol, memory, and which machine it was.

Which machine it is can be asked without torch.
"""

from typing import TYPE_CHECKING

from evonas.facade import lazily

if TYPE_CHECKING:
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

_HOMES = {
    "Clock": "evonas.hardware.latency",
    "Latency": "evonas.hardware.latency",
    "RUNTIMES": "evonas.hardware.runtimes",
    "check_runtime": "evonas.hardware.runtimes",
    "clock_noise": "evonas.hardware.latency",
    "device_description": "evonas.hardware.device",
    "device_fingerprint": "evonas.hardware.device",
    "kept_latency": "evonas.hardware.latency",
    "latency_scale": "evonas.hardware.latency",
    "reference_ms": "evonas.hardware.latency",
    "usable_cores": "evonas.hardware.device",
}

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

__getattr__ = lazily(__name__, _HOMES)
