"""The counts of a model folder are those of its network."""

from pathlib import Path

from small_model import made
from torch import nn

from evonas.delivery.counts import counts
from evonas.model_folder.model_folder import COUNTS, ModelFolder

__all__ = ["made"]  # fixtures


def test_a_model_folder_is_counted(made: Path) -> None:
    folder = ModelFolder.open(made, ())
    network, counted = folder.built(), folder.checks[COUNTS]
    assert counted["parameters"] == sum(tensor.numel() for tensor in network.parameters())
    assert counted["macs"] > counted["parameters"]
    assert counts(network, folder.section()) == {COUNTS: counted}


def test_a_network_that_the_section_does_not_describe_is_not_counted(made: Path) -> None:
    folder = ModelFolder.open(made, ())
    changed = nn.Sequential(folder.built(), nn.PReLU())
    assert counts(changed, folder.section()) == {}
    assert counts(changed, None) == {}
