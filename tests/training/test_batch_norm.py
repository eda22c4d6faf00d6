import copy
import multiprocessing
from pathlib import Path

import pytest
import torch
from torch import distributed, nn

from evonas.errors import SettingsError
from evonas.settings import TrainingSettings
from evonas.training.batch_norm import accumulated

IMAGES = 2 * torch.randn(10, 3, 6, 6, generator=torch.Generator().manual_seed(0)) + 1
TARGETS = torch.arange(10)
PARTS = (4, 4, 2)  # three mini-batches of ten images


def small_network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Conv2d(5, 2, 3))


def recipe(kind: str = "cross_mini_batch", parts: int = 3) -> TrainingSettings:
    return TrainingSettings(batch_norm=kind, subdivisions=parts)  # type: ignore[arg-type]


def passed(network: nn.Module, own: TrainingSettings) -> list[torch.Tensor]:
    """What a network gives in training for each mini-batch."""
    with accumulated(network.train(), own) as accumulation:
        return [network(some) for _, some, _ in accumulation.parts(IMAGES, TARGETS)]


def test_statistics_are_those_of_the_mini_batches_so_far() -> None:
    network = small_network()
    outputs = passed(network, recipe())
    assert [len(output) for output in outputs] == [*PARTS]
    for seen, count, output in zip((4, 8, 10), PARTS, outputs, strict=True):
        expected = small_network().train()(IMAGES[:seen])[-count:]
        torch.testing.assert_close(output, expected)


def test_running_statistics_are_those_of_the_whole_batch_once() -> None:
    network, plain = small_network(), small_network()
    for _ in range(2):
        passed(network, recipe())
        plain.train()(IMAGES)
    torch.testing.assert_close(network.state_dict(), plain.state_dict())
    assert network[1].num_batches_tracked == 2


def test_gradients_pass_through_the_statistics_of_the_mini_batch_alone() -> None:
    norm = nn.BatchNorm2d(3)
    images = IMAGES.clone().requires_grad_()
    with accumulated(norm.train(), recipe(parts=2)) as accumulation:
        _, last = [norm(some) for _, some, _ in accumulation.parts(images, TARGETS)]
    (gradient,) = torch.autograd.grad(last.square().sum(), images)
    earlier, own = IMAGES[:5], IMAGES[5:].clone().requires_grad_()
    whole = torch.cat([earlier, own])
    variance, mean = torch.var_mean(whole, (0, 2, 3), correction=0)
    by_hand = (own - mean[:, None, None]) / (variance + norm.eps).sqrt()[:, None, None]
    (expected,) = torch.autograd.grad(by_hand.square().sum(), own)
    torch.testing.assert_close(gradient[5:], expected)
    assert not gradient[:5].any()


def test_a_batch_of_one_mini_batch_is_as_with_batch_norm() -> None:
    (output,) = passed(small_network(), recipe(parts=1))
    torch.testing.assert_close(output, small_network().train()(IMAGES))


def test_in_sixteen_bits_maps_keep_their_type_and_statistics_have_32() -> None:
    network = small_network()
    with torch.autocast("cpu", torch.bfloat16), accumulated(network.train(), recipe()) as parts:
        for _, some, _ in parts.parts(IMAGES, TARGETS):
            maps = network[:2](some)
    assert maps.dtype == torch.bfloat16
    assert network[1].running_var.dtype == torch.float32


def test_a_network_in_evaluation_is_as_ever_and_afterwards_it_is_too() -> None:
    network, plain = small_network().eval(), small_network().eval()
    names = [*network.state_dict()]
    with accumulated(network, recipe()):
        torch.testing.assert_close(network(IMAGES), plain(IMAGES), rtol=0, atol=0)
        assert [*network.state_dict()] == names
    assert type(network[1]) is nn.BatchNorm2d
    assert network[1].__dict__.keys() == plain[1].__dict__.keys()
    torch.testing.assert_close(network.state_dict(), plain.state_dict(), rtol=0, atol=0)


def test_without_a_process_group_nothing_can_be_synced() -> None:
    with (
        pytest.raises(SettingsError, match="this process is in none"),
        accumulated(small_network(), recipe("synced")),
    ):
        pass


def in_a_group(rank: int, folder: Path) -> None:
    """One of two processes: half of the images through the network, and what came of it."""
    store = f"file://{folder / 'store'}"
    distributed.init_process_group("gloo", init_method=store, rank=rank, world_size=2)
    network = small_network().train()
    own = IMAGES[: PARTS[0]] if rank == 0 else IMAGES[PARTS[0] :]
    with accumulated(network, recipe("synced", parts=1)):
        output = network(own)
        output.square().sum().backward()
    gradient = network[0].weight.grad
    distributed.all_reduce(gradient)
    found = {"output": output.detach(), "gradient": gradient, **network.state_dict()}
    torch.save(found, folder / f"{rank}.pt")
    distributed.barrier()  # whoever leaves first would pull the store from under the other
    distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_of_a_group_are_as_one_with_all_images(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=in_a_group, args=(rank, tmp_path)) for rank in (0, 1)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    one, other = (torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1))
    plain = small_network().train()
    output = plain(IMAGES)
    output.square().sum().backward()
    torch.testing.assert_close(torch.cat([one.pop("output"), other.pop("output")]), output)
    torch.testing.assert_close(one.pop("gradient"), plain[0].weight.grad)
    other.pop("gradient")
    for found in (one, other):
        torch.testing.assert_close(found, dict(copy.copy(plain.state_dict())))
