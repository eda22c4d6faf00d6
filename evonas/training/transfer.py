"""What a training begins with: weights, which of them are trained, and how fast."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import nn

from evonas.errors import SettingsError
from evonas.models import initialise
from evonas.settings import TrainingSettings
from evonas.training.parts import (
    gate_layers,
    last_norms,
    parts,
    residual_branches,
    units,
    unskipped_norms,
    untransferred,
    weighted,
)

SHOWN = 3  # names in a message
GATE_WEIGHTS = 0.1  # of what they are drawn as, where gates begin open
SHALLOW, DEEP = 4, 12  # blocks: so few begin as they are, so many as a deep network is helped


@dataclass(frozen=True)
class Transfer:
    """What came of the weights file: names of tensors.

    `taken` are now the network's; `fresh` are those of the network that the file does not have,
    or in another shape; `unused` are those of the file that found no place.
    """

    taken: tuple[str, ...] = ()
    fresh: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def __str__(self) -> str:
        return (
            f"{len(self.taken)} tensors taken{_named('left fresh', self.fresh)}"
            f"{_named('of the file not used', self.unused)}"
        )


def _named(what: str, names: tuple[str, ...]) -> str:
    if not names:
        return ""
    more = ", ..." if len(names) > SHOWN else ""
    return f"; {len(names)} {what}: {', '.join(names[:SHOWN])}{more}"


def prepare(
    network: nn.Module, recipe: TrainingSettings, seed: int = 0, fresh: Collection[str] = ()
) -> Transfer:
    """Makes a fresh network begin as the recipe says.

    What is added to a shortcut is multiplied by `residual_init`, what blocks without one activate
    is shifted by `shift_init`, both the less the shallower the network is, and gates are opened by
    `gate_init`. Of `weights`, tensors are taken where name and shape agree, so a classifier of
    other classes stays fresh. Then the last `reset_last` convolutions and linear layers are drawn
    anew, or all if there are fewer, and the frozen parts' weights need no gradients any more. Parts
    are those of `parts.parts`: the stem is the first, the head the last. `all` freezes everything
    but the linear layers, or of a detector but neck and head. Stages of a classifier and of a
    detector have the same names, so one begins with the other's.

    Call `frozen_to_eval` after each `network.train()`.

    Args:
        fresh: Tensors that stay as they are, whatever the file has for them.

    Raises:
        SettingsError: The file cannot be used, or nothing is left to be trained.
    """
    file = recipe.weights
    found, taken = (Transfer(), {}) if file is None else _fitting(network, file, fresh)
    depth = _depth(network)
    _soften(network, 1 + depth * (recipe.residual_init - 1))
    _straighten(network, depth * recipe.shift_init)
    _open_gates(network, recipe.gate_init)
    network.load_state_dict(taken, strict=False)
    layers = list(weighted(network))
    for index, layer in enumerate(layers[max(0, len(layers) - recipe.reset_last) :]):
        initialise(layer, seed + index, recipe.initialisation)
    _freeze(network, recipe.freeze)
    return found


def _depth(network: nn.Module) -> float:
    """From 0 to 1, by the number of blocks, or of sums in a chain.

    A shallow network needs no help to begin, and learns sooner without.
    """
    blocks = max(len(units(network)), len(list(residual_branches(network))))
    return min(1.0, max(0.0, (blocks - SHALLOW) / (DEEP - SHALLOW)))


def _soften(network: nn.Module, gain: float) -> None:
    """Lets every residual branch begin with this gain, so that the network begins shallow.

    Goyal et al. (arXiv 1706.02677, section 5.1) take 0. Here an activation may follow the norm,
    and a ReLU of nothing but zeros would never learn.
    """
    for branch in residual_branches(network):
        for norm in last_norms(branch):
            nn.init.constant_(norm.get_parameter("weight"), gain)


def _straighten(network: nn.Module, shift: float) -> None:
    """Lets blocks without a shortcut begin nearly linear, as this moves what they activate.

    Maps with a deviation of 1 around 1 are mostly where a ReLU is the identity. So a deep network
    does not shatter its gradients, nor let them grow from layer to layer, as those with batch norm
    do the less the nearer they are to linear (Yang et al., arXiv 1902.08129).
    """
    for norm in unskipped_norms(network):
        nn.init.constant_(norm.get_parameter("bias"), shift)


def _open_gates(network: nn.Module, bias: float) -> None:
    """Lets squeeze-excite begin with nearly the same gates for all maps, open by this bias.

    With a sigmoid, 2 lets 88 % pass. So layers behind learn before the gates say what they need,
    as with the biases of highway networks' gates (arXiv 1505.00387, section 2.2).
    """
    if not bias:
        return
    for layer in gate_layers(network):
        nn.init.constant_(layer.get_parameter("bias"), bias)
        with torch.no_grad():
            layer.get_parameter("weight").mul_(GATE_WEIGHTS)


def _fitting(
    network: nn.Module, file: Path, fresh: Collection[str]
) -> tuple[Transfer, dict[str, torch.Tensor]]:
    """The tensors of a safetensors file whose names and shapes agree with the network's.

    Raises:
        SettingsError: The file is missing or damaged, or no weights in it fit.
    """
    given = {name: tensor for name, tensor in _read(file).items() if name not in fresh}
    own = network.state_dict()
    taken = [n for n, t in own.items() if n in given and given[n].shape == t.shape]
    if not any(own[name].dim() for name in taken):
        raise SettingsError(
            f"training.weights: nothing in {file} fits this network. It holds "
            f"{_some(given)}, and the network has {_some(own)}. Give the weights of a network "
            "with the same blocks and widths."
        )
    left = [name for name in own if name not in taken]
    unused = [name for name in given if name not in taken]
    found = Transfer(tuple(taken), tuple(left), tuple(unused))
    return found, {name: given[name] for name in taken}


def _read(file: Path) -> dict[str, torch.Tensor]:
    right = "Give a weights.safetensors as evonas export and evonas retrain write it."
    if not file.is_file():
        raise SettingsError(f"training.weights: there is no file {file}. {right}")
    try:
        return dict(sorted(safetensors.torch.load_file(file).items()))  # else in random order
    except (safetensors.SafetensorError, OSError) as error:
        problem = f"{file} cannot be read as safetensors: {error}"
        raise SettingsError(f"training.weights: {problem}. {right}") from None


def _some(tensors: Mapping[str, torch.Tensor]) -> str:
    shown = [f"{name} {tuple(tensor.shape)}" for name, tensor in tensors.items() if tensor.dim()]
    return ", ".join(shown[:SHOWN]) + (", ..." if len(shown) > SHOWN else "") or "no weights"


def _freeze(network: nn.Module, freeze: Any) -> None:
    if freeze == "all":
        network.requires_grad_(False)
        for layer in untransferred(network):
            layer.requires_grad_(True)
        return
    found = parts(network)
    for _, part in found[:freeze]:
        part.requires_grad_(False)
    if not any(weights.requires_grad for weights in network.parameters()):
        names = ", ".join(name for name, _ in found)
        raise SettingsError(
            f"training.freeze={freeze}: the network has {len(found)} parts ({names}), and nothing "
            f"is left to be trained. Write at most {len(found) - 1}, or all for all but "
            "the classifier or a detector's neck and head."
        )


def frozen_to_eval(network: nn.Module) -> None:
    """Puts frozen modules into evaluation mode: their norms' statistics stay, nothing is dropped.

    Those are the modules that have weights of which none needs a gradient. To be called whenever
    the network was put into training mode.
    """
    for module in network.modules():
        weights = list(module.parameters())
        if weights and not any(tensor.requires_grad for tensor in weights):
            module.eval()


def parameter_groups(network: nn.Module, recipe: TrainingSettings) -> list[dict[str, Any]]:
    """The parameters to be trained, with what their learning rate is multiplied by.

    Dictionaries with `params` and `lr_scale` = `layer_decay` to the power of the parts behind
    (discriminative rates, arXiv 1801.06146, section 3.2): 1 for the last part. One
    group where all rates are the same. Every trained parameter is in one group.
    """
    if recipe.layer_decay == 1:
        return [{"params": _trained(network), "lr_scale": 1.0}]
    groups = []
    placed: set[nn.Parameter] = set()
    found = parts(network)
    # What is in no part, as in a source that its owner changed, counts with the input.
    for behind, module in [*enumerate(part for _, part in reversed(found)), (len(found), network)]:
        own = [tensor for tensor in _trained(module) if tensor not in placed]
        placed.update(own)
        if own:
            groups.append({"params": own, "lr_scale": recipe.layer_decay**behind})
    return groups[::-1]


def _trained(module: nn.Module) -> list[nn.Parameter]:
    return [tensor for tensor in module.parameters() if tensor.requires_grad]
