"""Recipes put to work: `train` changes weights, `evaluate` scores them."""

from evonas.training.batches import batch_size
from evonas.training.checkpoint import load_checkpoint, save_checkpoint
from evonas.training.precision import is_worth_a_probe, network_family, probe
from evonas.training.scoring import evaluate
from evonas.training.trainer import train
from evonas.training.training_progress import Progress

__all__ = [
    "Progress",
    "batch_size",
    "evaluate",
    "is_worth_a_probe",
    "load_checkpoint",
    "network_family",
    "probe",
    "save_checkpoint",
    "train",
]
