import pytest
import torch
from torch import nn

from evonas.training.averaging import Average


def network_at(value: float) -> nn.Module:
    network = nn.BatchNorm2d(3)
    set_to(network, value)
    return network


def set_to(network: nn.Module, value: float) -> None:
    for tensor in network.state_dict().values():
        tensor.fill_(value)


def values(network: nn.Module) -> set[float]:
    tensors = network.state_dict().values()
    return {round(v, 6) for t in tensors if t.is_floating_point() for v in t.flatten().tolist()}


def test_weights_and_buffers_are_averaged_with_a_decay_that_warms_up() -> None:
    network = network_at(0.0)
    average = Average(network, 0.5, {})
    expected = 0.0
    for steps in range(1, 20):
        set_to(network, float(steps))
        average.update(steps)
        decay = min(0.5, (1 + steps) / (10 + steps))
        expected = decay * expected + (1 - decay) * steps
    average.swap()
    assert list(values(network)) == [pytest.approx(expected, abs=1e-4)]
    assert decay == 0.5


def test_swapping_twice_is_nothing_bit_for_bit() -> None:
    network = nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = Average(network, 0.9, {})
    nn.init.normal_(network.weight)
    average.update(1)
    before = network.weight.clone(), average.other["weight"].clone()
    average.swap()
    assert torch.equal(network.weight, before[1])
    assert torch.equal(average.other["weight"], before[0])
    average.swap()
    assert torch.equal(network.weight, before[0])
    assert torch.equal(average.other["weight"], before[1])


def test_an_average_goes_on_from_its_state() -> None:
    network = network_at(1.0)
    average = Average(network, 0.9, {})
    set_to(network, 2.0)
    average.update(1)
    saved = {name: tensor.clone() for name, tensor in average.state.items()}
    assert {name.split(".")[0] for name in saved} == {"trained"}
    again = Average(network, 0.9, saved)
    for one in (average, again):
        one.update(2)
    assert all(torch.equal(average.other[name], again.other[name]) for name in again.other)


def test_counts_of_batches_are_those_of_the_network() -> None:
    network = network_at(1.0)
    average = Average(network, 0.9, {})
    network.num_batches_tracked.fill_(7)  # type: ignore[union-attr]
    average.update(1)
    average.swap()
    assert network.num_batches_tracked == 7
