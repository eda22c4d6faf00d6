from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.blueprint import Blueprint
from evonas.errors import BuildError
from evonas.space import Scale, load_space, network_key, scaled_network
from evonas.space.scale import round8

FULL = Scale("full", resolution_px=224)
PROXY = Scale("proxy", resolution_px=32, width=0.25, smallest_map_px=4)


def blueprint(strides: tuple[int, ...] = (1, 2, 2, 2, 1, 2, 1), **stage: Any) -> Blueprint:
    """As many equal stages as strides, behind a stem of stride 2."""
    default = {
        "operation": "conv",
        "kernel": 3,
        "se_ratio": 0,
        "skip": "identity",
        "channels": 32,
        "layers": 1,
    }
    return Blueprint(
        {
            "builder": "stages",
            "activation": "relu",
            "stem": {"channels": 32, "kernel": 3, "stride": 2},
            "stages": [{**default, **stage, "stride": stride} for stride in strides],
            "head": {"channels": 1280},
        }
    )


def strides_at(scale: Scale, design: Blueprint) -> list[int]:
    network = scaled_network(design, scale)
    return [network["stem"]["stride"], *(stage["stride"] for stage in network["stages"])]


def test_the_full_network_keeps_strides_and_channels() -> None:
    network = scaled_network(blueprint(), FULL)
    assert strides_at(FULL, blueprint()) == [2, 1, 2, 2, 2, 1, 2, 1]
    assert {stage["channels"] for stage in network["stages"]} == {32}
    assert (network["input"], network["classes"]) == ([3, 224, 224], 10)


def test_strides_that_would_shrink_the_map_too_far_are_dropped_from_the_end() -> None:
    assert strides_at(PROXY, blueprint()) == [2, 1, 2, 2, 1, 1, 1, 1]


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    resolution_px=st.integers(4, 300),
    smallest=st.integers(2, 8),
    strides=st.lists(st.integers(1, 3), min_size=1, max_size=8),
)
def test_the_last_map_never_gets_smaller_than_asked(
    resolution_px: int, smallest: int, strides: list[int]
) -> None:
    scale = Scale("proxy", resolution_px, smallest_map_px=smallest)
    map_px = resolution_px
    for kept, wished in zip(
        strides_at(scale, blueprint(tuple(strides))), [2, *strides], strict=True
    ):
        assert kept in (1, wished)
        map_px = -(-map_px // kept)
    assert map_px >= min(smallest, resolution_px)


def test_a_total_stride_beyond_the_input_is_refused_with_the_smallest_that_fits() -> None:
    design = blueprint((2, 2, 2, 2))
    with pytest.raises(BuildError, match=r"full\.resolution_px to at least 32"):
        scaled_network(design, replace(FULL, resolution_px=31))
    assert strides_at(replace(FULL, resolution_px=32), design) == [2, 2, 2, 2, 2]


def test_width_scales_stem_stages_and_head_to_multiples_of_8() -> None:
    network = scaled_network(blueprint(), PROXY)
    assert network["stem"]["channels"] == 8
    assert {stage["channels"] for stage in network["stages"]} == {8}
    assert network["head"]["channels"] == 320


@settings(deadline=None, derandomize=True)
@given(st.floats(0.1, 5000))
def test_rounded_channels_lose_at_most_a_tenth_and_gain_less_than_8(channels: float) -> None:
    rounded = round8(channels)
    assert rounded % 8 == 0
    assert rounded >= max(8, 0.9 * channels)
    assert rounded - channels < 8


def test_skips_are_folded_after_scaling() -> None:
    thin = blueprint((2,), skip="identity", layers=1)
    assert scaled_network(thin, PROXY)["stages"][0]["skip"] == "none"
    tiny = Scale("proxy", resolution_px=8, smallest_map_px=4)
    assert scaled_network(thin, tiny)["stages"][0]["skip"] == "identity"


def test_designs_that_differ_only_at_full_scale_share_the_key_of_their_proxy() -> None:
    space = load_space("nano")
    first = space.decode([0.0] * len(space.genes))
    one, two = first.network["stages"]
    designs = [
        Blueprint({**first.network, "stages": [one, {**two, "channels": channels}]})
        for channels in (24, 32)
    ]
    keys = {scale: {network_key(d, space.scales[scale]) for d in designs} for scale in space.scales}
    assert (len(keys["proxy"]), len(keys["full"])) == (1, 2)


def test_training_and_compression_do_not_change_which_network_is_built() -> None:
    plain = blueprint()
    trained = Blueprint(plain.network, training={"lr0": 0.1}, compression={"bits": 8})
    assert network_key(plain, FULL) == network_key(trained, FULL)
    assert plain.fingerprint != trained.fingerprint


@pytest.mark.parametrize("change", [{"resolution_px": 96}, {"classes": 3}, {"input_channels": 1}])
def test_input_and_classes_are_part_of_which_network_is_built(change: dict[str, Any]) -> None:
    assert network_key(blueprint(), FULL) != network_key(blueprint(), replace(FULL, **change))


def test_scaling_leaves_the_blueprint_alone() -> None:
    design = blueprint()
    scaled_network(design, PROXY)
    assert design == blueprint()
