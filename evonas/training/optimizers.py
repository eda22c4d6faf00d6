"""Optimisers by name, and what they remember as a flat dictionary. A new one is a line here."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, Adadelta, Adagrad, Adam, Adamax, AdamW, NAdam, Optimizer, RMSprop

from evonas.settings import TrainingSettings
from evonas.training.muon import Muon, matrices
from evonas.training.rates import REST_OF_MUON
from evonas.training.transfer import parameter_groups

Groups = list[dict[str, Any]]  # parameters with their settings, as torch's optimisers take them
Factory = Callable[[Groups, TrainingSettings], Optimizer]

PREFIX = "optimizer."


def _adagrad(groups: Groups, recipe: TrainingSettings) -> Optimizer:
    on_cpu = groups[0]["params"][0].device.type == "cpu"  # torch fuses it there alone
    return Adagrad(groups, weight_decay=recipe.weight_decay, fused=on_cpu or None)


def _nesterov(groups: Groups, recipe: TrainingSettings) -> Optimizer:
    return _with_momentum(SGD, nesterov=recipe.momentum > 0, fused=True)(groups, recipe)


def _with_momentum(kind: Callable[..., Optimizer], **options: Any) -> Factory:
    def make(groups: Groups, recipe: TrainingSettings) -> Optimizer:
        decay = recipe.weight_decay
        return kind(groups, momentum=recipe.momentum, weight_decay=decay, **options)

    return make


def _with_betas(kind: Callable[..., Optimizer], **options: Any) -> Factory:
    """One of Adam's family: `momentum` is its first beta."""

    def make(groups: Groups, recipe: TrainingSettings) -> Optimizer:
        betas = (recipe.momentum, 0.999)
        return kind(groups, betas=betas, weight_decay=recipe.weight_decay, **options)

    return make


# Name to a function (groups, recipe) to an optimiser; the learning rate is set before each step.
OPTIMIZERS: Mapping[str, Factory] = {
    "sgd": _with_momentum(SGD, fused=True),
    "nesterov": _nesterov,
    "adam": _with_betas(Adam, fused=True),
    "adamw": _with_betas(AdamW, fused=True),
    "rmsprop": _with_momentum(RMSprop, foreach=True),
    "adagrad": _adagrad,
    "adadelta": lambda groups, recipe: Adadelta(
        groups, weight_decay=recipe.weight_decay, foreach=True
    ),
    "adamax": _with_betas(Adamax, foreach=True),
    "nadam": _with_betas(NAdam, foreach=True),
    "muon": lambda groups, recipe: Muon(
        groups, betas=(0.9, 0.999), weight_decay=recipe.weight_decay, fused=True
    ),
}


def make_optimizer(
    network: nn.Module, recipe: TrainingSettings, also: Sequence[nn.Parameter] = ()
) -> Optimizer:
    """The recipe's optimiser for what is to be trained of the network, and for other weights.

    Its groups have `lr_scale`, which the learning rate is multiplied by.
    """
    groups = parameter_groups(network, recipe)
    if also:
        groups.append({"params": list(also), "lr_scale": 1.0})
    if recipe.optimizer == "muon":
        groups = _split(groups, matrices(network), recipe.momentum)
    return OPTIMIZERS[recipe.optimizer](groups, recipe)


def _split(groups: Groups, muons: set[torch.Tensor], momentum: float) -> Groups:
    """Each group as one of matrices and one of the rest, which AdamW steps at a smaller rate."""
    parts = []
    for group in groups:
        for matrix, scale in ((True, 1.0), (False, REST_OF_MUON)):
            own = [tensor for tensor in group["params"] if (tensor in muons) is matrix]
            made = {"matrix": matrix, "momentum": momentum, "lr_scale": group["lr_scale"] * scale}
            parts += [{"params": own, **made}] if own else []
    return parts


def set_rate(optimizer: Optimizer, rate: float) -> None:
    """Sets the learning rate of the next step."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["lr_scale"]


def clip_gradients(optimizer: Optimizer, largest: float) -> None:
    """Shortens all gradients together to this norm, if it is above 0 and they are longer.

    After arXiv 1211.5063, algorithm 1.
    """
    if largest > 0:
        nn.utils.clip_grad_norm_(_parameters(optimizer), largest, foreach=True)


def state_of(optimizer: Optimizer) -> dict[str, torch.Tensor]:
    """What the optimiser remembers, by names with the parameter's number; live tensors."""
    return {
        f"{PREFIX}{number:05d}.{name}": value
        for number, parameter in enumerate(_parameters(optimizer))
        for name, value in optimizer.state.get(parameter, {}).items()
        if value is not None
    }


def restore(optimizer: Optimizer, state: Mapping[str, torch.Tensor]) -> None:
    """Lets a fresh optimiser remember what `state_of` gave; other names do not matter."""
    parameters = _parameters(optimizer)
    remembered: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in state.items():
        if name.startswith(PREFIX):
            number, entry = name.removeprefix(PREFIX).split(".")
            kept = remembered.setdefault(int(number), {})
            kept[entry] = _laid_out_as(parameters[int(number)], value)
    if remembered:
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": remembered, "param_groups": groups})


def _parameters(optimizer: Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def _laid_out_as(parameter: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """A copy with the parameter's memory layout: fused steps count on that."""
    if value.shape != parameter.shape:
        return value.clone()
    return torch.empty_like(parameter, requires_grad=False).copy_(value)
