"""What necks do with their levels behind their path."""

from typing import Any

import pytest
import torch
from detectors import blueprint, detector, plan, stage

from evonas.models.network import build_layer
from evonas.networks.detector.levels import Level
from evonas.networks.detector.necks import NECK_DEFAULTS
from evonas.networks.detector.refinements import refined
from evonas.networks.plan import Part, Plan


def refinements(channels: tuple[int, ...], **neck: Any) -> tuple[list[Part], list[Level]]:
    """Of levels of these channels, the finest of stride 8."""
    network = {"activation": "leaky", "neck": {**NECK_DEFAULTS, **neck}}
    levels = [Level(i + 1, 8 * 2**i, each, f"level_{i + 1}") for i, each in enumerate(channels)]
    parts, made = refined(network, levels)
    return parts, list(made)


def modules(part: Part) -> list[str]:
    return [layer.module for layer in part.layers]


def parameters(part: Part) -> int:
    with torch.device("meta"):
        built = [build_layer(layer) for layer in part.layers]
    return sum(weights.numel() for module in built for weights in module.parameters())


def test_adaptive_fusion_at_the_widths_of_yolov3_is_as_large_as_published() -> None:
    parts, made = refinements((128, 256, 512), kind="yolov3", asff=True)
    of_level = {
        number: sum(parameters(part) for part in parts if part.name.startswith(f"asff_{number}"))
        for number in (1, 2, 3)
    }
    assert of_level == {3: 7_106_803, 2: 1_915_123, 1: 734_451}
    assert [level.channels for level in made] == [256, 512, 1024]
    assert [part.name for part in parts][:1] == ["widened_1"]


def test_levels_are_resized_as_published() -> None:
    parts, _ = refinements((128, 256, 512), kind="yolov3", asff=True)
    by_name = {part.name: part for part in parts}
    assert modules(by_name["asff_3_of_1"]) == ["MaxPool", "ConvNormActivation"]
    assert modules(by_name["asff_3_of_2"]) == ["ConvNormActivation"]
    assert modules(by_name["asff_2_of_3"]) == ["ConvNormActivation", "Upsample"]
    assert modules(by_name["asff_1_of_2"]) == ["Upsample"]
    assert by_name["asff_1_of_3"].layers[-1].arguments == {"factor": 4}
    assert by_name["asff_2_of_1"].layers[0].arguments["stride"] == 2
    assert by_name["asff_1_fused"].reads == ("widened_1", "asff_1_of_2", "asff_1_of_3")


@pytest.mark.parametrize("count", [2, 3, 4])
@pytest.mark.parametrize("kind", ["fpn", "pan"])
def test_any_number_of_levels_of_one_width_is_fused_and_keeps_it(kind: str, count: int) -> None:
    parts, made = refinements((24,) * count, kind=kind, asff=True)
    assert [level.channels for level in made] == [24] * count
    assert [level.stride for level in made] == [8 * 2**i for i in range(count)]
    assert len(parts) == count * (count + 1)
    fused = [part.layers[0] for part in parts if part.layers[0].module == "AdaptiveFusion"]
    assert [layer.arguments["terms"] for layer in fused] == [count] * count


def test_of_maps_eight_times_as_large_the_maxima_are_taken_twice() -> None:
    parts, _ = refinements((8, 8, 8, 8), kind="fpn", asff=True)
    (far,) = (part for part in parts if part.name == "asff_4_of_1")
    assert modules(far) == ["MaxPool", "MaxPool", "ConvNormActivation"]


def test_a_stride_of_three_is_one_convolution() -> None:
    stages = [stage(8), stage(16), stage(24, stride=3)]
    backbone = {**detector()["backbone"], "stages": stages}
    planned = plan(detector(backbone=backbone, neck={"width": 8, "asff": True}), 48)
    assert layers(planned)["asff_2_of_1"][0].arguments["stride"] == 3


def layers(planned: Plan) -> dict[str, Any]:
    return {part.name: part.layers for part in planned.parts}


def test_attention_gates_what_the_head_reads() -> None:
    planned = plan(detector(neck={"width": 8, "asff": True, "sam": True}))
    reads = {part.name: part.reads for part in planned.parts}
    assert reads["attended_1"] == ("asff_1",)
    assert reads["class_1"] == ("attended_1",)
    assert layers(planned)["attended_2"][0].arguments == {"channels": 8, "kind": "pointwise"}


def test_a_receptive_field_block_stands_in_place_of_poolings() -> None:
    planned = plan(detector(neck={"width": 8, "rfb": True, "spp": True}))
    assert modules_of(planned, "lateral_2") == ["ReceptiveFieldBlock"]
    assert modules_of(planned, "lateral_1") == ["ConvNormActivation"]


def modules_of(planned: Plan, name: str) -> list[str]:
    return [layer.module for layer in layers(planned)[name]]


def test_half_of_the_channels_go_up_if_they_are_compressed() -> None:
    planned = plan(detector(neck={"width": 8, "compress": True}))
    assert modules_of(planned, "up_1") == ["ConvNormActivation", "Upsample"]
    assert layers(planned)["up_1"][0].arguments["out_channels"] == 4
    assert layers(planned)["top_down_1"][0].arguments["in_channels"] == 12


@pytest.mark.parametrize(
    "idle",
    [
        {"rfb": True, "spp": True},
        {"fusion": "add", "compress": True},
        {"fusion": "weighted", "compress": True},
        {"kind": "none", "compress": True},
        {"kind": "passthrough", "asff": True},
        {"kind": "yolov3", "compress": True},
    ],
)
def test_words_that_change_nothing_are_none(idle: dict[str, Any]) -> None:
    kept = {key: value for key, value in idle.items() if key not in ("spp", "compress", "asff")}
    one, other = (blueprint(detector(neck={"width": 8, **neck})) for neck in (idle, kept))
    assert one.network == other.network
    assert one.fingerprint == other.fingerprint


def test_one_level_has_nothing_to_be_fused_with() -> None:
    one = blueprint(detector(levels=1, neck={"width": 8, "asff": True, "sam": True}))
    other = blueprint(detector(levels=1, neck={"width": 8, "kind": "none", "sam": True}))
    assert one.fingerprint == other.fingerprint
    names = {part.name for part in plan(detector(levels=1, neck={"width": 8, "asff": True})).parts}
    assert not any("asff" in name for name in names)


def test_words_of_necks_are_off_by_default_and_then_not_said() -> None:
    words = {"asff": False, "sam": False, "rfb": False, "compress": False}
    silent, loud = (blueprint(detector(neck={"width": 8, **said})) for said in ({}, words))
    assert silent.fingerprint == loud.fingerprint
    assert plan(detector()) == plan(detector(neck={"width": 8, **words}))
