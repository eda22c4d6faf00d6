"""What the machine says: latency under a fixed protocol, and which machine it was."""

from evonas.hardware.device import device_description, device_fingerprint, usable_cores
from evonas.hardware.latency import Clock, Latency, reference_ms

__all__ = [
    "Clock",
    "Latency",
    "device_description",
    "device_fingerprint",
    "reference_ms",
    "usable_cores",
]
