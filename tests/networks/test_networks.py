"""Scaled sections for another number of classes."""

from dataclasses import replace

import pytest
from conftest import problems_of

from evonas.blueprint import scaled_network
from evonas.networks import planned, with_classes
from evonas.presets import preset, presets
from evonas.space import load_space
from evonas.space.document import known_spaces

MANY, FEW = 7, 3


@pytest.mark.parametrize("name", sorted(presets()))
def test_a_published_network_has_other_classes_as_if_it_was_scaled_for_them(name: str) -> None:
    design, scale = preset(name).blueprint, preset(name).scale
    many, few = (scaled_network(design, replace(scale, classes=n)) for n in (MANY, FEW))
    assert planned(with_classes(many, FEW)) == planned(few)
    assert planned(with_classes(few, MANY)) == planned(many)


@pytest.mark.parametrize("name", sorted(known_spaces()))
def test_a_design_of_a_space_has_other_classes_in_the_same_way(name: str) -> None:
    space = load_space(name)
    if not space.has_network:
        return
    design = space.decode([gene.default_number for gene in space.genes])
    many, few = (replace(space.scales["proxy"], classes=n) for n in (MANY, FEW))
    section = scaled_network(design, many)
    assert planned(with_classes(section, FEW)) == planned(scaled_network(design, few))


def test_a_chain_that_ends_without_a_layer_of_channels_is_refused() -> None:
    section = scaled_network(preset("lenet5").blueprint, preset("lenet5").scale)
    (problem,) = problems_of(with_classes, {**section, "head": [{"flatten": True}]}, FEW)
    assert problem.startswith("head: no convolution or linear layer of it gives the logits")
