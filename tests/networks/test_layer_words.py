"""The layers of a chain: what their words leave out, and the shapes that they give."""

from typing import Any

import pytest
from test_chain_section import CONV, FULL, HEAD, chain

from evonas.networks import scaled
from evonas.networks.chain.layer_words import DEFAULTS, NEEDED, filled, row_shape
from evonas.presets import preset


def shapes(name: str) -> list[tuple[int, ...]]:
    """The shape of the input of a preset, and that behind each of its layers."""
    found = preset(name)
    section = scaled(found.blueprint.network, found.scale)
    rows = [layer for group in [*section["layers"], section["head"]] for layer in group]
    given = found.scale.input_shape
    return [given, *(row_shape(rows[: index + 1], given) for index in range(len(rows)))]


def test_lenet_has_the_shapes_of_the_slide() -> None:
    # 32x32x3 -> 28x28x6 -> 14x14x6 -> 10x10x16 -> 5x5x16
    maps = [(3, 32, 32), (6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5)]
    assert shapes("lenet5") == [*maps, (400,), (120,), (84,), (10,)]


def test_alexnet_ends_with_maps_of_6_px_and_inception_v3_with_8() -> None:
    assert (256, 6, 6) in shapes("alexnet")
    assert shapes("inception_v3")[-4] == (2048, 8, 8)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        ({"conv": 4, "kernel": 5, "padding": "valid"}, (4, 28, 28)),
        ({"conv": 4, "kernel": 5}, (4, 32, 32)),
        ({"conv": 4, "kernel": 3, "stride": 2}, (4, 16, 16)),
        ({"conv": 4, "kernel": [1, 7], "padding": "valid"}, (4, 32, 26)),
        ({"conv": 4, "kernel": 3, "padding": [0, 2]}, (4, 30, 34)),
        ({"conv": 4, "kernel": 3, "stride": [2, 1]}, (4, 16, 32)),
        ({"conv": 4, "kernel": 3, "dilation": 4}, (4, 32, 32)),
        ({"conv": 4, "kernel": 3, "dilation": 4, "padding": "valid"}, (4, 24, 24)),
        ({"max_pool": 2}, (3, 16, 16)),
        ({"max_pool": 3, "stride": 2}, (3, 15, 15)),
        ({"max_pool": 2, "stride": 1, "padding": "same"}, (3, 32, 32)),
        ({"max_pool": 3, "stride": 2, "ceil": True}, (3, 16, 16)),
        ({"avg_pool": 3, "stride": 1, "padding": "same"}, (3, 32, 32)),
        ({"lp_pool": 2, "kernel": 4}, (3, 8, 8)),
        ({"global_pool": "max"}, (3,)),
        ({"flatten": True}, (3072,)),
        ({"spp": [1, 2, 4]}, (63,)),
        ({"pyramid": [5, 9, 13]}, (12, 32, 32)),
        ({"space_to_depth": 2}, (12, 16, 16)),
        ({"channel_group": 3, "groups": 3}, (1, 32, 32)),
        ({"concat": [[], [{"conv": 4, "kernel": 1}], [{"conv": 2, "kernel": 3}]]}, (9, 32, 32)),
        ({"sum": [[], [{"conv": "input", "kernel": 3}]]}, (3, 32, 32)),
        ({"lrn": 5}, (3, 32, 32)),
    ],
)
def test_a_layer_gives_a_shape(layer: dict[str, Any], shape: tuple[int, ...]) -> None:
    before = {"conv": 3, "kernel": 1}
    section = scaled(chain(before, head=[layer, *HEAD[len(shape) == 1 :]]), FULL)
    assert row_shape(section["head"][:1], (3, 32, 32)) == shape


def test_every_word_is_filled_in() -> None:
    for word, keys in DEFAULTS.items():
        needed = dict.fromkeys(NEEDED.get(word, ()), 3)
        layer = filled(
            {word: [] if word in ("concat", "sum", "weighted_sum") else 3, **needed}, chain()
        )
        assert layer.keys() == {word, *keys, *needed}


@pytest.mark.parametrize(
    ("network", "layer", "wanted"),
    [
        ({}, {}, ("batch", "relu", False)),
        ({"norm": "none"}, {}, ("none", "relu", True)),
        ({"bias": True}, {}, ("batch", "relu", True)),
        ({"bias": True}, {"bias": False}, ("batch", "relu", False)),
        ({"norm": "none"}, {"bias": False}, ("none", "relu", False)),
        ({}, {"conv": "classes"}, ("none", "none", True)),
        ({}, {"conv": "classes", "norm": "batch", "activation": "mish"}, ("batch", "mish", False)),
    ],
)
def test_a_convolution_takes_norm_activation_and_bias_from_the_network(
    network: dict[str, Any], layer: dict[str, Any], wanted: tuple[Any, ...]
) -> None:
    full = filled({**CONV, **layer}, chain(**network))
    assert (full["norm"], full["activation"], full["bias"]) == wanted
