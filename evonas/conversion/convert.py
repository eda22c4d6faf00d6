"""Weights of another program as safetensors that a training begins with."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from evonas.conversion.conversion import Conversion
from evonas.conversion.darknet_reader import read_darknet
from evonas.conversion.proof import by_names, evidence_of, proved
from evonas.conversion.state_dict_reader import read_state_dict
from evonas.conversion.tensor_file import read_tensors
from evonas.errors import SettingsError
from evonas.files import make_folder, write_atomically
from evonas.presets import Preset, preset
from evonas.presets.resizing import sized

SUFFIX = ".safetensors"


def convert(
    file: Path, name: str, to: Path, classes: int | None = None, output: str | None = None
) -> dict[str, Any]:
    """Reads weights onto a published network, writes them, and tells what was read.

    Args:
        file: Of another program: a weights file of Darknet, or a state dict by torch.save or in
            safetensors.
        name: Of the preset.
        to: The file to write, a new one.
        classes: That the weights tell apart; None: as many as published.
        output: What proves them, as `proof.evidence_of` reads it.

    Raises:
        UnknownName: There is no such preset.
        SettingsError: The file holds no weights of that network, or they are not what gave the
            output, or `to` is there already.
        FileError: The disk refuses to write.
    """
    _check_new(to)
    chosen = sized(preset(name), classes=classes)
    evidence = None if output is None else evidence_of(output)
    read = read_weights(file, chosen)
    proof = by_names(read) if evidence is None else proved(read, chosen, evidence)
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
        "left_out": [*read.left_out],
        "alike": read.alike,
        "proof": proof,
        "written": str(to),
    }


def published_weights(file: Path, chosen: Preset) -> Mapping[str, torch.Tensor]:
    """All tensors of a published network, by its names, of a file that somebody published.

    Raises:
        SettingsError: The file does not hold them, or not all.
    """
    read = read_weights(file, chosen)
    if read.missing:
        raise SettingsError(
            f"{file} has {read.layers[0]} of {read.layers[1]} layers of {chosen.name}. Give a file "
            "of all of them, or begin a training with these: evonas weights writes a file for it."
        )
    return read.tensors


def read_weights(file: Path, chosen: Preset) -> Conversion:
    """What a file of weights is in a published network, whichever program has written it.

    Raises:
        SettingsError: It cannot be read, or is of another network.
    """
    tensors = read_tensors(file)
    return read_darknet(file, chosen) if tensors is None else read_state_dict(tensors, chosen)


def _check_new(to: Path) -> None:
    if to.suffix != SUFFIX:
        raise SettingsError(
            f"--to {to}: write a name that ends in {SUFFIX}, as in {to.stem}{SUFFIX}."
        )
    if to.exists():
        raise SettingsError(
            f"--to {to}: this file is there already. Remove it or choose a new name."
        )
