"""Files of tensors by name: safetensors, and state dicts that torch.save wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from evonas.errors import SettingsError

ZIPPED, PICKLED = b"PK\x03\x04", b"\x80"  # how files of torch.save begin, now and before 1.6
HEAD_AT = 8  # safetensors: the length of their head comes first, then the head, which is JSON

# Under which keys programs put a state dict beside other things, the likeliest first.
WRAPPERS = (
    *("state_dict", "model_state_dict", "model", "net", "network"),
    *("state_dict_ema", "model_ema", "ema", "module"),
)
# What wraps a network, as torch's parallel and compiled ones do, says so in front of all names.
WRAPPING = ("module.", "_orig_mod.", "model.", "network.", "net.")
RIGHT = "Save it by torch.save(network.state_dict(), FILE), or by safetensors."


@dataclass(frozen=True)
class TensorFile:
    """What a file holds, by name.

    `kind`: what it is, in words. `is_ordered`: the tensors stand in the order in which the network
    has them; safetensors have them by name.
    """

    path: Path
    kind: str
    tensors: Mapping[str, torch.Tensor]
    is_ordered: bool


def read_tensors(path: Path) -> TensorFile | None:
    """What the file holds; None if it is no such file.

    Raises:
        SettingsError: The file cannot be read, is damaged, or holds no state dict.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(HEAD_AT + 1)
    except OSError as problem:
        raise SettingsError(f"{path} cannot be read: {problem.strerror}.") from None
    if begin[HEAD_AT:] == b"{":
        return _of_safetensors(path)
    if begin.startswith((ZIPPED, PICKLED)):
        return TensorFile(path, "state dict", _unwrapped(_loaded(path), path), True)
    return None


def _of_safetensors(path: Path) -> TensorFile:
    try:
        found = safetensors.torch.load_file(path)
    except (safetensors.SafetensorError, OSError) as problem:
        raise SettingsError(f"{path} cannot be read as safetensors: {problem}.") from None
    return TensorFile(path, "safetensors", _bare(dict(sorted(found.items()))), False)


def _loaded(path: Path) -> Any:
    """What torch.save wrote: tensors and plain values; no other object is ever made."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as problem:  # it raises errors of pickle, which nothing here imports
        first = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise SettingsError(
            f"{path} cannot be read as a state dict: {first} Tensors and plain values alone are "
            f"read, no program. {RIGHT}"
        ) from None


def _unwrapped(found: Any, path: Path) -> Mapping[str, torch.Tensor]:
    """The tensors, of a state dict that may stand beside other things."""
    for key in WRAPPERS:
        if isinstance(found, Mapping) and isinstance(found.get(key), Mapping):
            return _unwrapped(found[key], path)
    values = found.items() if isinstance(found, Mapping) else ()
    tensors = {str(name): value for name, value in values if isinstance(value, torch.Tensor)}
    if not tensors:
        raise SettingsError(f"{path} holds no tensors by name. {RIGHT}")
    return _bare(tensors)


def _bare(tensors: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
    """Without what stands in front of all names."""
    for before in WRAPPING:
        if all(name.startswith(before) for name in tensors):
            return _bare({name.removeprefix(before): tensors[name] for name in tensors})
    return tensors
