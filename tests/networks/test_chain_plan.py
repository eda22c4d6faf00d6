"""Networks of the builder `chain`: what their layers compute, count and export."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import in_onnxruntime
from safetensors.torch import save_file
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.exporters.onnx import onnx_model
from evonas.exporters.onnx_graph import onnx_graph
from evonas.exporters.source import network_source
from evonas.models import Network, build, count
from evonas.networks import Scale
from evonas.networks.chain.layer_words import DEFAULTS
from evonas.networks.chain.plan import JOINS, LAYERS
from evonas.presets import preset
from evonas.settings import TrainingSettings
from evonas.training.parts import parts
from evonas.training.precision import network_family
from evonas.training.transfer import prepare

SCALE = Scale("full", resolution_px=14, classes=5)
HEAD: list[Any] = [{"global_pool": "average"}, {"linear": "classes"}]
CONV = {"conv": 8, "kernel": 3}

# A layer or two of each word, behind eight channels.
OF_EACH_WORD: dict[str, list[Any]] = {
    "conv": [{"conv": 6, "kernel": [1, 7], "bias": True, "activation": "none"}],
    "linear": [{"flatten": True}, {"linear": 7}],
    "max_pool": [{"max_pool": 3, "stride": 2, "ceil": True}],
    "avg_pool": [{"avg_pool": 3, "stride": 1, "padding": "same", "counts_padding": False}],
    "lp_pool": [{"lp_pool": 3, "kernel": 2, "stride": 1}],
    "global_pool": [{"global_pool": "max"}],
    "spp": [{"spp": [1, 2, 4]}],
    "flatten": [{"flatten": True}],
    "lrn": [{"lrn": 4, "alpha": 0.1, "k": 2}],
    "dropout": [{"dropout": 0.5}],
    "pyramid": [{"pyramid": [3, 5]}],
    "space_to_depth": [{"space_to_depth": 2}],
    "channel_group": [{"channel_group": 2, "groups": 2}],
    "channel_shuffle": [{"channel_shuffle": 4}],
    "spatial_attention": [{"spatial_attention": "pooled"}, {"spatial_attention": "pointwise"}],
    "concat": [{"concat": [[], [CONV], [{"conv": 4, "kernel": 1}, {"concat": [[CONV], []]}]]}],
    "sum": [{"sum": [[], [CONV, {"sum": [[CONV], [CONV]]}]], "scale": 0.17}],
    "weighted_sum": [
        {"weighted_sum": [[], [CONV]], "weights": weights}
        for weights in ("fast", "softmax", "free")
    ],
    "activation": [{"activation": "mish"}],
    "norm": [{"norm": "group"}],
}
FEATURES = ("linear", "global_pool", "spp", "flatten")


def of(*layers: Any, head: list[Any] = HEAD, **more: Any) -> Blueprint:
    network = {"builder": "chain", "activation": "relu", "layers": list(layers), "head": head}
    return Blueprint({**network, **more})


def with_word(word: str) -> Blueprint:
    own = OF_EACH_WORD[word]
    return of(CONV, head=own + HEAD[1:]) if word in FEATURES else of(CONV, own)


def images(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def seen(blueprint: Blueprint) -> Network:
    """Built, and with statistics of some images."""
    network = build(blueprint, SCALE, seed=0)
    network(images(8, *SCALE.input_shape))
    return network.eval()


def test_every_word_is_planned_and_tested() -> None:
    assert DEFAULTS.keys() == LAYERS.keys() | JOINS.keys() == OF_EACH_WORD.keys()


@pytest.mark.parametrize("word", DEFAULTS)
def test_what_is_counted_is_what_is_built(word: str) -> None:
    plan = plan_network(with_word(word), SCALE)
    network = Network(plan)
    assert count(plan).parameters == sum(weights.numel() for weights in network.parameters())
    assert network(images(2, *SCALE.input_shape)).shape == (2, 5)


@pytest.mark.parametrize("word", DEFAULTS)
@pytest.mark.parametrize("batch", [3, None])
def test_every_word_exports_to_onnx(word: str, batch: int | None) -> None:
    network = seen(with_word(word))
    given = images(3, *SCALE.input_shape, seed=1)
    found = in_onnxruntime(onnx_model(network, SCALE.input_shape, batch), given)
    with torch.no_grad():
        torch.testing.assert_close(found, network(given), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("word", DEFAULTS)
def test_every_word_is_written_to_onnx_by_evonas_itself(word: str) -> None:
    assert onnx_graph(seen(with_word(word)), SCALE.input_shape, 1)


MAPS = [[CONV, *own] for word, own in OF_EACH_WORD.items() if word not in FEATURES]


@pytest.mark.parametrize(
    "blueprint", [of(*MAPS), *(with_word(word) for word in FEATURES)], ids=["maps", *FEATURES]
)
def test_the_source_of_every_word_rebuilds_the_network(
    blueprint: Blueprint, tmp_path: Path
) -> None:
    network = seen(blueprint)
    save_file(dict(network.state_dict()), tmp_path / "weights.safetensors")
    source = network_source(plan_network(blueprint, SCALE), "A title")
    names: dict[str, Any] = {"__file__": str(tmp_path / "model.py"), "__name__": "model"}
    exec(compile(source, "model.py", "exec"), names)
    loaded = names["load"]()
    assert list(loaded.state_dict()) == list(network.state_dict())
    assert "evonas" not in source
    with torch.no_grad():
        given = names["example_input"]()
        assert torch.equal(loaded(given), network(given))


def test_parts_are_named_after_entries_and_end_with_the_head() -> None:
    network = build(of(CONV, [CONV, {"max_pool": 2}], {"times": 2, "layers": [CONV]}), SCALE)
    assert [name for name, _ in parts(network)] == [*(f"layer_{i}" for i in range(1, 5)), "head"]
    assert next(iter(network.state_dict())) == "layer_1.0.weight"
    assert "layer_2.0.0.weight" in network.state_dict()


def test_both_weights_of_a_sum_are_trained() -> None:
    network = build(of(CONV, OF_EACH_WORD["weighted_sum"][0]), SCALE, seed=0)
    network(images(4, *SCALE.input_shape)).square().sum().backward()
    slopes = network.get_parameter("layer_2.weights.values").grad
    assert slopes is not None
    assert slopes.abs().min() > 0


def test_a_linear_layer_on_all_pixels_of_googlenet_costs_what_its_pooling_saves() -> None:
    full = of({"dropout": 0}, head=[{"flatten": True}, {"linear": "classes"}])
    scale = Scale("full", 7, input_channels=1024, classes=1024)
    assert count(plan_network(full, scale)).macs == 7 * 7 * 1024 * 1024 == 51_380_224


def darknet(*rows: list[tuple[int, int]]) -> list[Any]:
    """Convolutions of (channels, kernel), a pooling between the rows."""
    convolutions = [[{"conv": c, "kernel": k} for c, k in row] for row in rows]
    pooling = {"max_pool": 2, "ceil": True}
    return [*([*row, pooling] for row in convolutions[:-1]), convolutions[-1]]


def test_the_smaller_darknets_have_the_counts_of_their_cfg_files() -> None:
    scale = Scale("full", 224, classes=1000)
    reference = darknet(*([(16 * 2**stage, 3)] for stage in range(7)))
    plan = plan_network(of(*reference), scale)
    assert (count(plan).parameters, count(plan).macs) == (7_319_416, 387_211_264)
    squeezed = [[(c, 1), (8 * c, 3)] * 2 for c in (16, 32, 64)]
    tiny = darknet([(16, 3)], [(32, 3)], *squeezed[:2], [*squeezed[2], (128, 1)])
    head = [{"conv": "classes", "kernel": 1}, {"global_pool": "average"}]
    plan = plan_network(of(*tiny, head=head), scale)
    assert (count(plan).parameters, count(plan).macs) == (1_042_104, 491_524_096)


def test_lenet_learns_random_images() -> None:
    found = preset("lenet5")
    network = build(found.blueprint, found.scale, seed=0)
    given, labels = images(16, 3, 32, 32), torch.arange(16) % 10
    optimizer = torch.optim.Adam(network.parameters(), lr=0.003)
    losses = []
    for _ in range(30):
        loss = nn.functional.cross_entropy(network(given), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(math.log(10), abs=0.3)
    assert losses[-1] < 0.5 * losses[0]


def test_training_knows_a_chain_by_its_parts() -> None:
    found = preset("lenet5")
    network = build(found.blueprint, found.scale)
    prepare(network, TrainingSettings(freeze=2))
    trained = [name for name, weights in network.named_parameters() if weights.requires_grad]
    assert trained
    assert all(name.startswith("head.") for name in trained)
    families = {
        name: network_family(plan_network(preset(name).blueprint, preset(name).scale))
        for name in ("xception", "inception_resnet_v1")
    }
    assert families == {"xception": "depthwise", "inception_resnet_v1": "plain"}
