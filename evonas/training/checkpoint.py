"""A training in a file, to go on from after a stop."""

import hashlib
import json
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import nn

from evonas.files import write_atomically
from evonas.training.training_progress import Progress

NETWORK, STATE = "network.", "state."


def save_checkpoint(file: Path, network: nn.Module, progress: Progress, key: str) -> None:
    """Writes weights and progress, all or nothing.

    Args:
        key: Of all that the training depends on: a checkpoint with another is not gone on from.
    """
    tensors = {NETWORK + name: tensor for name, tensor in network.state_dict().items()}
    tensors |= {STATE + name: tensor for name, tensor in progress.state.items()}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    facts = {
        "key": key,
        "epochs": progress.epochs_done,
        "curve": progress.curve,
        "validation_curve": progress.validation_curve,
        "bfloat16": progress.bfloat16,
        "validation_scores": progress.validation_scores,
    }
    text = json.dumps(facts)
    metadata = {"training": text, "sha256": _checksum(text, plain)}
    write_atomically(file, safetensors.torch.save(plain, metadata))


def load_checkpoint(file: Path, network: nn.Module, key: str) -> Progress | None:
    """Puts the weights into the network and tells where the training stands.

    None, and the network as it was, if there is no such file, it is damaged, or of another key.
    """
    if not file.exists():
        return None
    try:
        with safetensors.safe_open(file, "pt") as checkpoint:
            metadata = checkpoint.metadata() or {}
            names = list(checkpoint.keys())
            tensors = {name: checkpoint.get_tensor(name) for name in names}
    except (safetensors.SafetensorError, OSError, ValueError):
        return None
    text = metadata.get("training", "")
    if metadata.get("sha256") != _checksum(text, tensors):
        return None
    facts = json.loads(text)
    if facts["key"] != key:
        return None
    network.load_state_dict(_part(tensors, NETWORK))
    return Progress(
        facts["epochs"],
        _part(tensors, STATE),
        facts["curve"],
        facts["validation_curve"],
        facts["bfloat16"],
        facts.get("validation_scores", []),
    )


def _checksum(facts: str, tensors: dict[str, torch.Tensor]) -> str:
    """Of all that a checkpoint says, but for itself."""
    digest = hashlib.sha256(facts.encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _part(tensors: dict[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    own = {name: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return {name.removeprefix(prefix): tensor for name, tensor in own.items()}
