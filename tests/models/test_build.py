from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.models import Network, build, count_layers, deployed, initialise
from evonas.space import known_spaces, load_space
from evonas.tasks.task import outputs_of

NANO = load_space("nano")
CELLS = load_space("mobile_cells")


def sample(seed: int) -> Blueprint:
    return NANO.decode(NANO.sample(np.random.default_rng(seed)))


def weights(network: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(network.parameters())


def test_the_seed_alone_decides_the_weights() -> None:
    scale = NANO.scales["proxy"]
    torch.manual_seed(1)
    one = weights(build(sample(0), scale, seed=5))
    torch.manual_seed(2)
    assert torch.equal(one, weights(build(sample(0), scale, seed=5)))
    assert not torch.equal(one, weights(build(sample(0), scale, seed=6)))


def test_without_a_seed_the_global_generator_decides() -> None:
    scale = NANO.scales["proxy"]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        one = weights(build(sample(0), scale))
        torch.manual_seed(1)
        assert torch.equal(one, weights(build(sample(0), scale)))
        assert not torch.equal(one, weights(build(sample(0), scale)))


@pytest.mark.parametrize("name", known_spaces())
def test_a_design_of_every_space_gives_one_number_a_class(name: str) -> None:
    space = load_space(name)
    design = space.decode(space.sample(np.random.default_rng(2)))
    scale = replace(space.scales["proxy"], input_channels=1, classes=7)
    network = deployed(build(design, scale, seed=0).eval())
    with torch.no_grad():
        *_, numbers = outputs_of(network(torch.ones(2, *scale.input_shape)))
    assert (numbers.shape[0], numbers.shape[-1]) == (2, 7)
    assert numbers.isfinite().all()
    torch.testing.assert_close(numbers[0], numbers[1])


@pytest.mark.parametrize("name", ["nano", "darts_cells", "nas_bench_201"])
def test_the_blueprint_says_how_weights_begin(name: str) -> None:
    space = load_space(name)
    design = space.decode(space.sample(np.random.default_rng(2)))
    scale = space.scales["proxy"]
    xavier = replace(design, network={**design.network, "initialisation": "xavier"})
    own, other = (build(each, scale, seed=3) for each in (design, xavier))
    assert not torch.equal(weights(own), weights(other))
    initialise(own, 3, "xavier")
    assert torch.equal(weights(own), weights(other))


@pytest.mark.parametrize("name", ["nano", "darts_cells", "nasnet_cells", "nas_bench_201"])
@pytest.mark.parametrize(("norm", "kind"), [("group", nn.GroupNorm), ("none", type(None))])
def test_the_blueprint_says_which_norm_all_layers_have(
    name: str, norm: str, kind: type[nn.Module]
) -> None:
    space = load_space(name)
    design = space.decode(space.sample(np.random.default_rng(2)))
    changed = replace(design, network={**design.network, "norm": norm})
    network = build(changed, space.scales["proxy"], seed=0)
    modules = list(network.modules())
    assert not any(isinstance(module, nn.BatchNorm2d) for module in modules)
    assert (norm == "none") != any(isinstance(module, kind) for module in modules)
    assert network(torch.ones(2, *space.scales["proxy"].input_shape)).shape == (2, 10)


def test_every_design_of_mobile_cells_has_a_proxy_of_the_same_layers_that_keeps_4_pixels() -> None:
    for seed in range(60):
        design = CELLS.decode(CELLS.sample(np.random.default_rng(seed)))
        full, proxy = (
            list(count_layers(plan_network(design, CELLS.scales[name])))
            for name in ("full", "proxy")
        )
        assert [(x.name, x.module) for x in full] == [(x.name, x.module) for x in proxy], seed
        *body, head = proxy
        assert min(side for layer in body for side in layer.maps.shape[1:]) >= 4, seed
        assert head.maps.shape == (CELLS.scales["proxy"].classes,)
    with torch.device("meta"):
        networks = [Network(plan_network(design, scale)) for scale in CELLS.scales.values()]
    assert networks[0].state_dict().keys() == networks[1].state_dict().keys()
