"""The torch module that a plan describes."""

import copy
from typing import Any

import torch
from torch import nn

from evonas.models.constants import set_constants
from evonas.models.modules import MODULES
from evonas.networks.plan import IMAGES, Layer, Plan
from evonas.registry import pick


def build_layer(layer: Layer) -> nn.Module:
    """The layer's module, freshly initialised.

    Raises:
        UnknownName: There is no such module.
    """
    arguments = {name: _built(value) for name, value in layer.arguments.items()}
    return pick(MODULES, layer.module, "module")(**arguments)


def _built(value: Any) -> Any:
    if isinstance(value, list):
        return [_built(item) for item in value]
    return build_layer(value) if isinstance(value, Layer) else value


class Network(nn.Module):
    """What a plan describes. Parameter names equal those of the exported source.

    `plan`: what it was built from. `outputs`: the parts that leave the network.
    """

    def __init__(self, plan: Plan) -> None:
        super().__init__()
        for part in plan.parts:
            modules = [build_layer(layer) for layer in part.layers]
            self.add_module(part.name, modules[0] if len(modules) == 1 else nn.Sequential(*modules))
        self.plan = plan
        self._steps = _steps(plan)
        self.outputs = plan.outputs
        set_constants(self, **plan.constants)

    def forward(self, images: torch.Tensor) -> Any:
        """(batch, channels, height, width) to the plan's output; to a tuple if it has several."""
        maps = {IMAGES: images}
        for name, reads, read_last in self._steps:
            maps[name] = getattr(self, name)(*[maps[part] for part in reads])
            for part in read_last:
                del maps[part]
        outputs = tuple(maps[name] for name in self.outputs)
        return outputs[0] if len(outputs) == 1 else outputs


def with_plan(network: Network, plan: Plan) -> Network:
    """The network of a plan of some of its parts, with the same weights; itself if it has that."""
    if plan == network.plan:
        return network
    other, state = Network(plan), network.state_dict()
    other.load_state_dict({name: state[name] for name in other.state_dict()})
    return other.train(network.training)


def learning(network: nn.Module) -> nn.Module:
    """The network of exported source, which from now on gives all that a training needs."""
    if hasattr(network, "is_learning"):
        network.is_learning = True  # type: ignore[assignment]
    return network


def deployed(network: nn.Module) -> nn.Module:
    """The network as it is deployed, with the same weights; itself if all of it is deployed.

    The source that evonas exports of a network that learns by more says so by `is_learning`.
    """
    if isinstance(network, Network):
        return with_plan(network, network.plan.as_deployed())
    other = copy.copy(network)
    other.is_learning = False  # type: ignore[assignment]
    return other if hasattr(network, "is_learning") else network


Step = tuple[str, tuple[str, ...], tuple[str, ...]]


def _steps(plan: Plan) -> list[Step]:
    """For each part that is needed its name, what it reads, and what nobody reads any more."""
    kept, steps = set(plan.outputs), list[Step]()
    needed = plan.needed_for(plan.outputs)
    for part in reversed(plan.parts):
        if part.name not in needed:
            continue
        steps.insert(0, (part.name, part.reads, tuple({*part.reads} - kept)))
        kept |= {*part.reads}
    return steps
