"""Recipes put to work: `train` changes weights, `evaluate` scores them."""

from evonas.training.trainer import Normalisation, Progress, Scores, evaluate, train

__all__ = ["Normalisation", "Progress", "Scores", "evaluate", "train"]
