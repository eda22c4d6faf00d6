"""The table of data sets."""

from collections.abc import Callable, Mapping
from pathlib import Path

from evonas.data.dataset import Source
from evonas.data.digits import read_digits
from evonas.data.folder import read_folder

DATA_SETS: Mapping[str, Callable[[Path | None, int], Source]] = {
    "digits": read_digits,
    "folder": read_folder,
}
