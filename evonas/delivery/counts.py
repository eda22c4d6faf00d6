"""How large what a model folder deploys is, counted anew."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from evonas.model_folder.model_folder import COUNTS
from evonas.models import count
from evonas.networks import planned


def counts(network: nn.Module, section: Mapping[str, Any] | None) -> dict[str, Any]:
    """Parameters and multiply-adds of what is deployed, under the key that check.json has.

    Nothing of a network that the scaled section does not describe, as a changed model.py.
    """
    if section is None:
        return {}
    plan = planned(section)
    if count(plan).parameters != sum(tensor.numel() for tensor in network.parameters()):
        return {}
    deployed = count(plan.as_deployed())
    return {COUNTS: {"parameters": deployed.parameters, "macs": deployed.macs}}
