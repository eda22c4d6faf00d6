import math
from dataclasses import replace
from typing import Any

import pytest
from conftest import a_network, a_stage
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.blueprint import Blueprint
from evonas.errors import BuildError
from evonas.networks.scale import affordable_strides, round8
from evonas.space import Scale, network_key, scaled_network

FULL = Scale("full", resolution_px=224)
PROXY = Scale("proxy", resolution_px=32, width=0.25, smallest_map_px=4)


def blueprint(strides: tuple[int, ...] = (1, 2, 2, 2, 1, 2, 1), **stage: Any) -> Blueprint:
    """As many equal stages as strides, behind a stem of stride 2."""
    stages = [a_stage(**{"channels": 32, **stage, "stride": stride}) for stride in strides]
    stem = {"channels": 32, "kernel": 3, "stride": 2}
    return Blueprint(a_network(*stages, stem=stem, head={"channels": 1280}))


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


def test_a_skip_that_has_no_room_at_a_scale_is_none_there() -> None:
    skipping, plain = (blueprint((2,), skip=skip, layers=1) for skip in ("identity", "none"))
    assert network_key(skipping, PROXY) == network_key(plain, PROXY)
    tiny = Scale("proxy", resolution_px=8, smallest_map_px=4)
    assert network_key(skipping, tiny) != network_key(plain, tiny)


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


@pytest.mark.parametrize("phi", [0, 0.5, 1, 2, 3])
def test_the_compound_coefficient_grows_depth_width_and_resolution_as_efficientnet_does(
    phi: float,
) -> None:
    # arXiv 1905.11946, equation 3 with alpha 1.2, beta 1.1 and gamma 1.15 (section 5.2)
    scale = Scale("full", resolution_px=224, width=0.5, depth=2.0, filters=16).compound(phi)
    assert scale.depth == pytest.approx(2.0 * 1.2**phi)
    assert scale.width == pytest.approx(0.5 * 1.1**phi)
    assert scale.resolution_px == round(224 * 1.15**phi)
    assert (scale.name, scale.filters, scale.classes) == ("full", 16, 10)
    work = (scale.depth / 2) * (scale.width / 0.5) ** 2 * (scale.resolution_px / 224) ** 2
    assert work == pytest.approx(1.92**phi, rel=0.01)


@pytest.mark.parametrize(
    ("depth", "layers"), [(0.4, [1, 1, 2]), (1.0, [1, 2, 4]), (1.1, [2, 3, 5]), (3.1, [4, 7, 13])]
)
def test_depth_multiplies_the_layers_of_each_stage_and_rounds_up(
    depth: float, layers: list[int]
) -> None:
    design = blueprint((1, 1, 1))
    stages = [
        {**stage, "layers": count}
        for stage, count in zip(design.network["stages"], (1, 2, 4), strict=True)
    ]
    network = scaled_network(
        Blueprint({**design.network, "stages": stages}), replace(FULL, depth=depth)
    )
    assert [stage["layers"] for stage in network["stages"]] == layers


def test_width_leaves_a_fixed_head_and_channels_at_width_1_alone() -> None:
    design = blueprint(channels=20)
    assert scaled_network(design, FULL)["stages"][0]["channels"] == 20
    assert scaled_network(design, replace(FULL, width=1.01))["stages"][0]["channels"] == 24
    fixed = Blueprint({**design.network, "head": {"channels": 1280, "fixed": True}})
    assert scaled_network(fixed, PROXY)["head"] == {"channels": 1280}


def test_width_scales_the_hidden_layer_of_a_head_and_none_stays_none() -> None:
    design = blueprint()
    hidden = Blueprint({**design.network, "head": {"channels": 0, "hidden": 1024}})
    assert scaled_network(hidden, PROXY)["head"] == {"channels": 0, "hidden": 256}


@settings(deadline=None, derandomize=True)
@given(st.integers(1, 400), st.integers(1, 8), st.lists(st.integers(1, 3), max_size=8))
def test_strides_are_kept_as_long_as_the_map_stays_large_enough(
    resolution_px: int, smallest: int, strides: list[int]
) -> None:
    scale = Scale("any", resolution_px, smallest_map_px=smallest)
    if smallest == 1 and math.prod(strides) > resolution_px:
        with pytest.raises(BuildError, match=f"at least {math.prod(strides)}"):
            affordable_strides(strides, scale)
        return
    kept = affordable_strides(strides, scale)
    map_px = resolution_px
    for stride, wished in zip(kept, strides, strict=True):
        affordable = math.ceil(map_px / wished) >= smallest
        assert stride == (wished if affordable else 1)
        map_px = math.ceil(map_px / stride)


def test_a_scale_survives_its_plain_values() -> None:
    scale = Scale("full", 32, filters=16, repeats=(4, 3, 3), stem="imagenet", far_input=True)
    values = scale.to_dict()
    assert values["repeats"] == [4, 3, 3]
    assert Scale(**{**values, "repeats": tuple(values["repeats"])}) == scale
