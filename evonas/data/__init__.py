"""Data sets. A new one is a file with a reader and a line below.

A reader takes (settings, resolution_px) and gives a `Source`. `load_data` reads once,
keeps the decoded images in the user's cache and hands all workers the same memory-mapped file.
"""

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset, Split
from evonas.data.readers import DATA_SETS

__all__ = ["DATA_SETS", "Dataset", "Split", "load_data"]
