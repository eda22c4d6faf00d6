"""A network's weights as a file, and as tensors again if they are still the same bytes."""

import re
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from evonas.errors import ExportError
from evonas.exporters.file_names import WEIGHTS
from evonas.files import write_atomically
from evonas.key import checksum

# Runs of earlier versions kept the weights of cells under the name of a part that held them all.
CELL_OF_STACK = re.compile(r"\bcells\.cells\.(\d+)\.")


def weights_of(network: nn.Module) -> bytes:
    """All weights and buffers, as safetensors."""
    state = {name: tensor.cpu().contiguous() for name, tensor in network.state_dict().items()}
    return safetensors.torch.save(state)


def write_weights(folder: Path, network: nn.Module) -> str:
    """Writes weights.safetensors, all or nothing, and gives its checksum."""
    content = weights_of(network)
    write_atomically(folder / WEIGHTS, content)
    return checksum(content)


def read_weights(file: Path, expected: str | None) -> dict[str, torch.Tensor]:
    """Tensors by name, as a run kept them.

    Args:
        expected: The file's checksum, as it was noted when it was written; None if it was not.

    Raises:
        ExportError: The file is missing, damaged, or another.
    """
    try:
        content = file.read_bytes()
    except OSError as problem:
        raise ExportError(f"{file} cannot be read: {problem.strerror}.") from None
    if expected is not None and checksum(content) != expected:
        raise ExportError(
            f"{file} is damaged: its bytes are not those that were written (checksum "
            f"{checksum(content)[:8]}, not {expected[:8]})."
        )
    tensors = tensors_of(content, file).items()
    return {CELL_OF_STACK.sub(_cell_name, name): tensor for name, tensor in tensors}


def _cell_name(match: re.Match[str]) -> str:
    return f"cell_{int(match[1]) + 1}."


def tensors_of(content: bytes, file: Path) -> dict[str, torch.Tensor]:
    """Tensors by name, in the order of their names: the library's order of them is random.

    Raises:
        ExportError: These bytes, read from `file`, are no safetensors.
    """
    try:
        return dict(sorted(safetensors.torch.load(content).items()))
    except (safetensors.SafetensorError, ValueError, KeyError) as problem:
        raise ExportError(f"{file} cannot be read as safetensors: {problem}.") from None


def put_weights(network: nn.Module, tensors: Mapping[str, torch.Tensor], file: Path) -> None:
    """Lets the network have these weights, read from `file`.

    Raises:
        ExportError: They are those of another network.
    """
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as problem:
        reason = str(problem).splitlines()[-1].strip()
        raise ExportError(f"{file} holds weights of another network: {reason}") from None
