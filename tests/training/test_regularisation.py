from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import a_network, a_stage
from detectors import blueprint, detector
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.exporters.source import network_source
from evonas.models import Network, build
from evonas.settings import TrainingSettings
from evonas.space import Scale, load_space
from evonas.space.document import document_of
from evonas.space.load import space_of
from evonas.training.parts import has_role, parts
from evonas.training.regularisation import drop_block, droppable, regularised, seed_rate

SCALE = Scale("proxy", resolution_px=16, input_channels=1)


def chain_design(**network: Any) -> Blueprint:
    """Six blocks; the first of each stage changes the channels, the others can be left out."""
    block = a_stage(operation="inverted_residual", expansion=2, layers=3)
    stem = {"channels": 8, "kernel": 3, "stride": 2}
    head = {"channels": 32, "hidden": 20}
    values = a_network(block, {**block, "channels": 24}, stem=stem, head=head, **network)
    scales = {"proxy": {"resolution_px": 16}, "full": {"resolution_px": 16}}
    space = space_of(document_of({"network": values, "scales": scales}, "chain"))
    return space.decode([])


def chain(**network: Any) -> nn.Module:
    return build(chain_design(**network), SCALE, seed=0)


def cells(name: str = "darts_cells") -> nn.Module:
    space = load_space(name)
    design = space.decode(space.sample(np.random.default_rng(1)))
    scale = space.scales["proxy"]
    return build(design, Scale(**{**scale.to_dict(), "input_channels": 1}), seed=0)


def images(count: int = 6) -> torch.Tensor:
    return torch.randn(count, 1, 16, 16, generator=torch.Generator().manual_seed(0))


def outputs(network: nn.Module, seed: int = 0, share: float = 0.0, **recipe: Any) -> torch.Tensor:
    """What a network gives in training with the recipe; its statistics stay as they were."""
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    torch.manual_seed(seed)
    with regularised(network.train(), TrainingSettings(**recipe)) as regularisation:
        regularisation.at(share)
        out: torch.Tensor = network(images())
    network.load_state_dict(before)
    return out.detach()


def hooks(network: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())


ALL: dict[str, dict[str, Any]] = {
    "dropout": {"dropout": 0.5},
    "spatial_dropout": {"spatial_dropout": 0.3},
    "drop_connect": {"drop_connect": 0.5},
    "drop_block": {"drop_block": 0.2, "drop_block_size": 2},
    "local": {"drop_path": 0.5},
    "global": {"drop_path": 0.9, "drop_path_kind": "global"},
}
each = pytest.mark.parametrize("recipe", ALL.values(), ids=ALL)


@each
@pytest.mark.parametrize("make", [chain, cells])
def test_each_acts_in_training_only_and_leaves_no_trace(make: Any, recipe: dict[str, Any]) -> None:
    network = make()
    names = list(network.state_dict())
    plain = outputs(network)
    changed = [outputs(network, seed, **recipe) for seed in (0, 0, 1, 2, 3)]
    assert torch.equal(changed[0], changed[1])
    assert any(not torch.equal(changed[0], other) for other in changed[2:])
    assert any(not torch.equal(plain, other) for other in changed)
    assert hooks(network) == 0
    assert torch.equal(plain, outputs(network))
    network.eval()
    with regularised(network, TrainingSettings(**recipe)):
        assert list(network.state_dict()) == names
        evaluated = network(images())
    assert torch.equal(evaluated, network(images()))


def test_a_recipe_without_any_of_them_installs_nothing() -> None:
    network = chain()
    with regularised(network, TrainingSettings(ramp=True)):
        assert hooks(network) == 0


def test_the_network_is_itself_again_after_a_failure() -> None:
    network = chain(drop_path=0.4)
    before = own_drop_paths(network)
    assert any(before)
    recipe = TrainingSettings(**{k: v for one in ALL.values() for k, v in one.items()})
    with regularised(network, recipe):
        assert not any(own_drop_paths(network))
    with pytest.raises(RuntimeError, match="channels"), regularised(network, recipe):
        network(torch.zeros(1, 2, 16, 16))
    assert hooks(network) == 0
    assert own_drop_paths(network) == before


def own_drop_paths(network: nn.Module) -> list[float]:
    named = [m for m in network.modules() if type(m).__name__ == "DropPath"]
    return [float(module.probability) for module in named]  # type: ignore[arg-type]


@each
def test_exported_source_is_regularised_as_the_network_itself(
    recipe: dict[str, Any], tmp_path: Path
) -> None:
    plan = plan_network(chain_design(), SCALE)
    names: dict[str, Any] = {"__name__": "model", "__file__": str(tmp_path / "model.py")}
    exec(compile(network_source(plan, "A network"), "model.py", "exec"), names)  # our own source
    network, copy = Network(plan), names["Network"]()
    copy.load_state_dict(network.state_dict())
    assert [name for name, _ in parts(copy)] == [name for name, _ in parts(network)]
    assert torch.equal(outputs(copy, **recipe), outputs(network, **recipe))
    assert any(not torch.equal(outputs(copy, s, **recipe), outputs(copy, s)) for s in range(5))


def test_dropout_zeroes_inputs_of_the_last_linear_layer_alone() -> None:
    network = chain()
    seen: dict[str, torch.Tensor] = {}
    linear = [m for m in network.modules() if isinstance(m, nn.Linear)]
    with regularised(network.train(), TrainingSettings(dropout=0.5)):
        for name, layer in zip(("hidden", "last"), linear, strict=True):
            layer.register_forward_hook(lambda m, given, out, n=name: seen.update({n: given[0]}))
        network(images(64))
    assert 0.4 < (seen["last"] == 0).float().mean() - 0.5 * 0.5 < 0.6  # half of it relu's zeros
    assert (seen["hidden"] == 0).float().mean() < 0.1


def test_drop_connect_drops_weights_and_not_inputs() -> None:
    layer = nn.Linear(1000, 4, bias=False)
    nn.init.ones_(layer.weight)
    network = nn.Sequential(layer).train()
    torch.manual_seed(0)
    with regularised(network, TrainingSettings(drop_connect=0.5)):
        first, second = network(torch.ones(2, 1000))
    assert torch.equal(first, second)  # a mask of the batch
    assert len(set(first.tolist())) > 1  # of which each output has its own part
    assert first.mean().item() == pytest.approx(1000, abs=100)
    first.sum().backward()
    assert layer.weight.grad is not None
    assert (layer.weight.grad == 0).float().mean() == pytest.approx(0.5, abs=0.05)


def test_spatial_dropout_drops_whole_maps() -> None:
    network = chain()
    unit = network.get_submodule("stage_1.0")
    with regularised(network.train(), TrainingSettings(spatial_dropout=0.25)):
        maps = unit(torch.rand(200, 8, 4, 4))
    dropped = (maps == 0).flatten(2)
    assert torch.equal(dropped.all(2), dropped.any(2))
    assert dropped.all(2).float().mean() == pytest.approx(0.25, abs=0.03)


def test_the_seeds_of_drop_block_are_as_many_as_the_paper_says() -> None:
    assert seed_rate(0.1, 7, 14, 14) == pytest.approx(0.00625)
    assert seed_rate(0.1, 7, 28, 28) == pytest.approx(0.003306, abs=1e-6)
    assert seed_rate(0.1, 1, 9, 5) == pytest.approx(0.1)


def test_drop_block_blanks_squares_and_keeps_the_sum() -> None:
    torch.manual_seed(0)
    maps = torch.ones(50, 4, 14, 14)
    out = drop_block(maps, 0.1, 3)
    assert (out == 0).float().mean() == pytest.approx(0.1, abs=0.02)
    assert out.sum() == pytest.approx(maps.sum().item(), rel=1e-4)
    zeros = (out == 0).float()
    # A dropped point lies in a dropped 3x3 square: opening the mask by squares changes nothing.
    eroded = -torch.nn.functional.max_pool2d(-zeros, 3, stride=1)
    opened = torch.nn.functional.max_pool2d(torch.nn.functional.pad(eroded, (2,) * 4), 3, stride=1)
    assert torch.equal(opened, zeros)
    assert zeros.any()


@pytest.mark.parametrize("shape", [(1, 1), (4, 4), (3, 5)])
def test_squares_larger_than_the_map_are_as_large_as_the_map(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    out = drop_block(torch.ones(1000, 1, *shape), 0.3, 7)
    assert out.isfinite().all()
    assert (out == 0).float().mean() == pytest.approx(0.3, abs=0.06)
    assert drop_block(torch.ones(1, 1, *shape), 1.0, 7).sum() == 0


def dropped_paths(network: nn.Module, seeds: range, **recipe: Any) -> torch.Tensor:
    """(seeds, paths, samples): which paths were zero for which samples."""
    return torch.stack([_dropped_paths(network, seed, recipe) for seed in seeds])


def _dropped_paths(network: nn.Module, seed: int, recipe: dict[str, Any]) -> torch.Tensor:
    seen: list[torch.Tensor] = []

    def look(path: nn.Module, given: Any, out: torch.Tensor) -> None:
        seen.append((out == 0).flatten(1).all(1))

    torch.manual_seed(seed)
    with regularised(network.train(), TrainingSettings(**recipe)):
        paths = [path for path, _ in droppable(network, spare_first=False)]
        handles = [path.register_forward_hook(look) for path in paths]
        network(images())
        for handle in handles:
            handle.remove()
    return torch.stack(seen)


def test_local_drop_path_draws_for_each_sample_and_more_often_in_the_depth() -> None:
    dropped = dropped_paths(chain(), range(200), drop_path=0.6).float()
    wanted = [0.6 * place / 6 for place in (2, 3, 5, 6)]  # of 6 blocks, those with a skip
    assert dropped.mean((0, 2)).tolist() == pytest.approx(wanted, abs=0.05)
    assert 0 < dropped.mean(2)[:, -1].std() < 0.3  # samples of one batch differ


def test_local_drop_path_is_that_of_a_network_built_with_it() -> None:
    built = outputs(chain(drop_path=0.5))
    torch.testing.assert_close(outputs(chain(), drop_path=0.5), built)
    # The recipe's takes the place of the network's own.
    torch.testing.assert_close(outputs(chain(drop_path=0.2), drop_path=0.5), built)


def test_global_drop_path_leaves_one_depth_to_the_whole_batch() -> None:
    dropped = dropped_paths(chain(), range(200), drop_path=0.6, drop_path_kind="global")
    assert torch.equal(dropped.all(2), dropped.any(2))
    paths = dropped.all(2).float()
    assert torch.equal(paths.cummax(1).values, paths)  # from some block on, all that can be
    wanted = [0.6 * place / 6 for place in (2, 3, 5, 6)]
    assert paths.mean(0).tolist() == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("name", ["darts_cells", "nas_bench_201"])
def test_in_cells_global_drop_path_spares_a_path_of_each_node(name: str) -> None:
    network = cells(name)
    everything = dict(droppable(network, spare_first=False))
    spared = dict(droppable(network, spare_first=True))
    assert spared.keys() < everything.keys()
    named = {module: name for name, module in network.named_modules()}
    firsts = [named[module] for module in everything.keys() - spared.keys()]
    assert all(name.endswith("operations.0") for name in firsts)
    assert max(everything.values()) == 1
    assert all(type(path).__name__ != "SkipConnect" for path in everything)


def test_a_network_without_skips_has_nothing_to_leave_out() -> None:
    space = load_space("nano")
    design = space.decode([0.0] * len(space.genes))  # skip: none
    network = build(design, SCALE, seed=0)
    assert list(droppable(network, spare_first=False)) == []
    assert torch.equal(outputs(network, drop_path=0.5), outputs(network))


@pytest.mark.parametrize("name", ["drop_block", "local", "global"])
def test_a_ramp_grows_from_nothing_to_the_whole(name: str) -> None:
    network, recipe = chain(), ALL[name]
    plain = outputs(network)
    torch.testing.assert_close(outputs(network, share=0.0, **recipe, ramp=True), plain)
    full = outputs(network, share=1.0, **recipe, ramp=True)
    torch.testing.assert_close(full, outputs(network, **recipe))
    assert not torch.equal(full, plain)


def test_half_way_of_a_ramp_half_as_many_paths_are_dropped() -> None:
    network = chain()
    rates = []
    for share in (0.5, 1.0):
        dropped = 0
        last = list(droppable(network, spare_first=False))[-1][0]
        with regularised(network.train(), TrainingSettings(drop_path=0.8, ramp=True)) as ramp:
            ramp.at(share)
            for seed in range(50):
                torch.manual_seed(seed)
                out = last(torch.randn(6, 24, 4, 4))
                dropped += int((out == 0).flatten(1).all(1).sum())
        rates.append(dropped / 300)
    assert rates == pytest.approx([0.4, 0.8], abs=0.07)


@pytest.mark.parametrize("neck", [{"fusion": "add"}, {"kind": "yolov3"}, {"asff": True}])
def test_squares_are_blanked_where_a_neck_fuses_maps(neck: dict[str, Any]) -> None:
    design = blueprint(detector(neck={"width": 8, **neck}))
    network = build(design, Scale("proxy", 64, classes=3), seed=0)
    fusions = [module for module in network.modules() if has_role(module, "fusion")]
    given = torch.ones(8, 8, 8, 8), torch.ones(8, 8, 8, 8)
    recipe = TrainingSettings(neck_drop_block=0.3, drop_block_size=2)
    with regularised(network.train(), recipe):
        assert hooks(network) == len(fusions) > 0
        assert all(0.15 < gone < 0.45 for gone in _zeros(fusions, given))
        network.eval()
        assert not any(_zeros(fusions, given))
    assert hooks(network) == 0


def _zeros(fusions: list[nn.Module], given: tuple[torch.Tensor, ...]) -> list[float]:
    """The share of zeros in what each gives."""
    return [float((fusion(*given) == 0).float().mean()) for fusion in fusions]


@pytest.fixture(autouse=True)
def _generator_as_before() -> Iterator[None]:
    with torch.random.fork_rng([]):
        yield
