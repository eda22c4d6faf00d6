"""Every form of `FORMS` is the network that it was written from."""

import numpy as np
import pytest
import torch
from conftest import SMALL_DETECTOR

from evonas.exporters.agreement import TOLERANCE
from evonas.exporters.forms import FORMS
from evonas.models import Network, build
from evonas.models.network import with_plan
from evonas.space import load_space

SPACES = ["nano", "darts_cells", "conv_zoo", str(SMALL_DETECTOR)]
BATCH = 3


@pytest.fixture(scope="module", params=SPACES)
def network(request: pytest.FixtureRequest) -> Network:
    """A design of each way to write networks down, which has seen images."""
    space = load_space(request.param)
    made = build(space.decode(space.sample(np.random.default_rng(1))), space.scales["proxy"], 0)
    made(images(made))
    return with_plan(made, made.plan.as_deployed())


def images(network: Network) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(BATCH, *network.plan.input_shape, generator=generator)


@pytest.mark.parametrize("name", FORMS)
def test_what_is_written_gives_the_outputs_of_the_network(name: str, network: Network) -> None:
    form = FORMS[name]
    content = form.write(network, network.plan.input_shape, None)
    assert form.agreement(network, content, images(network)).difference <= TOLERANCE
    assert content == form.write(network, network.plan.input_shape, None)


def test_each_form_is_another_file() -> None:
    assert len({form.file for form in FORMS.values()}) == len(FORMS)
