"""Weights in fewer bits, for the size of the file alone: they are computed with in 32 bits."""
