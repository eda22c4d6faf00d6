"""Weights of another program as safetensors that a training begins with."""

from pathlib import Path
from typing import Any

import safetensors.torch

from evonas.conversion.conversion import with_classes
from evonas.conversion.darknet_reader import read_darknet
from evonas.errors import SettingsError
from evonas.files import make_folder, write_atomically
from evonas.presets import preset

SUFFIX = ".safetensors"


def convert(file: Path, name: str, to: Path, classes: int | None = None) -> dict[str, Any]:
    """Reads weights onto a published network, writes them, and tells what was read.

    Args:
        file: Of another program, which is Darknet.
        name: Of the preset.
        to: The file to write, a new one.
        classes: That the weights tell apart; None: as many as published.

    Raises:
        UnknownName: There is no such preset.
        SettingsError: The file holds no weights of that network, or `to` is there already.
        FileError: The disk refuses to write.
    """
    _check_new(to)
    chosen = with_classes(preset(name), classes)
    read = read_darknet(file, chosen)
    make_folder(to.parent)
    write_atomically(to, safetensors.torch.save(dict(read.tensors)))
    return {
        "file": str(file),
        "origin": read.origin,
        "images_seen": read.images_seen,
        "preset": name,
        "classes": chosen.scale.classes,
        "numbers": read.numbers,
        "layers_read": read.layers[0],
        "layers": read.layers[1],
        "tensors": len(read.tensors),
        "missing": [*read.missing],
        "written": str(to),
    }


def _check_new(to: Path) -> None:
    if to.suffix != SUFFIX:
        raise SettingsError(
            f"--to {to}: write a name that ends in {SUFFIX}, as in {to.stem}{SUFFIX}."
        )
    if to.exists():
        raise SettingsError(
            f"--to {to}: this file is there already. Remove it or choose a new name."
        )
