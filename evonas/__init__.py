"""Search neural architectures and training recipes together, and export what was found.

The names below load what they need when they are first used; importing evonas loads nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from evonas.blueprint import Blueprint
    from evonas.delivery.compress_model import compress
    from evonas.delivery.export import export
    from evonas.delivery.export_preset import export_preset
    from evonas.delivery.predict import predict
    from evonas.delivery.retrain import retrain
    from evonas.delivery.tune import tune
    from evonas.driver import confirm, optimise, resume, search
    from evonas.models import build
    from evonas.presets import preset
    from evonas.runs import Run, load_run
    from evonas.space import load_space

_HOMES = {
    "Blueprint": "evonas.blueprint",
    "Run": "evonas.runs",
    "build": "evonas.models",
    "compress": "evonas.delivery.compress_model",
    "confirm": "evonas.driver",
    "export": "evonas.delivery.export",
    "export_preset": "evonas.delivery.export_preset",
    "load_run": "evonas.runs",
    "load_space": "evonas.space",
    "optimise": "evonas.driver",
    "predict": "evonas.delivery.predict",
    "preset": "evonas.presets",
    "resume": "evonas.driver",
    "retrain": "evonas.delivery.retrain",
    "search": "evonas.driver",
    "tune": "evonas.delivery.tune",
}

__all__ = [
    "Blueprint",
    "Run",
    "build",
    "compress",
    "confirm",
    "export",
    "export_preset",
    "load_run",
    "load_space",
    "optimise",
    "predict",
    "preset",
    "resume",
    "retrain",
    "search",
    "tune",
]


def __getattr__(name: str) -> Any:
    """The name from its home (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module evonas has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
