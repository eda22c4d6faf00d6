"""Published networks have exactly the published counts, and compute the published function."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from evonas.blueprint import Blueprint
from evonas.errors import UnknownName
from evonas.models import Layer, Network, count, plan_network
from evonas.models.layers import Block
from evonas.models.presets import Preset, preset, presets
from evonas.networks import Scale
from evonas.space import load_space

# Parameters and multiply-adds at the published input and classes: of independent implementations,
# or, in the lines marked "ours", what we count where no other count is at hand.
COUNTS = {
    "mnasnet_b1": (4_383_312, 314_415_872),
    "mnasnet_b1_075": (3_170_208, 215_493_104),
    "mnasnet_b1_050": (2_218_512, 104_455_968),
    "mnasnet_b1_130": (6_282_256, 526_362_432),  # ours; torchvision's mnasnet1_3 has as many
    "mnasnet_a1": (3_887_038, 311_579_072),
    "mnasnet_small": (2_030_264, 68_339_184),
    "mobilenet_v1": (4_231_976, 568_740_352),
    "mobilenet_v1_075": (2_585_560, 325_400_448),
    "mobilenet_v1_050": (1_331_592, 149_497_088),
    "mobilenet_v1_025": (470_072, 41_030_272),
    "conv_mobilenet": (29_294_088, 4_867_293_184),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "mobilenet_v2_035": (1_677_128, 59_285_808),
    "mobilenet_v2_050": (1_968_680, 97_131_840),
    "mobilenet_v2_075": (2_636_424, 209_069_792),
    "mobilenet_v2_140": (6_108_776, 582_195_824),
    "mobilenet_v3_large": (5_483_032, 216_589_760),
    "mobilenet_v3_small": (2_542_856, 56_510_400),
    "efficientnet_b0": (5_288_548, 385_814_752),
    "efficientnet_b1": (7_794_184, 686_802_832),
    "efficientnet_b2": (9_109_994, 993_561_872),
    "efficientnet_b3": (12_233_232, 1_827_141_392),
    "efficientnet_b4": (19_341_616, 4_393_771_024),
    "efficientnet_b5": (30_389_784, 10_266_384_752),
    "efficientnet_b6": (43_040_704, 19_067_593_536),
    "efficientnet_b7": (66_347_960, 37_745_884_192),
    "fbnet_c": (5_572_200, 384_960_160),
    "proxylessnas_mobile": (4_080_512, 320_427_584),
    "spnasnet": (4_421_616, 333_467_072),
    "nasnet_a_mobile": (5_289_978, 563_638_816),
    "nasnet_a_large": (88_753_150, 23_783_414_658),
    "nasnet_a_cifar": (3_346_538, 544_333_312),
    "pnasnet_5_large": (86_057_668, 24_937_395_792),
    "pnasnet_5_mobile": (5_064_455, 587_192_848),  # ours; 5.1M and 588M in arXiv 1712.00559
    "amoebanet_a_mobile": (5_086_898, 554_586_852),
    "amoebanet_a_large": (86_718_765, 23_133_443_059),
    "amoebanet_a_cifar": (3_218_266, 509_668_992),  # ours; 3.2M in arXiv 1802.01548, table 1
    "darts_v1_cifar": (3_169_414, 500_987_520),  # ours
    "darts_v2_cifar": (3_349_342, 528_359_040),
    "darts_v2_imagenet": (4_718_752, 529_911_552),
    "darts_v2_small": (246_106, 43_444_736),
}

# Sum and length of the logits when every tensor is filled from a hash of its indices (`filled`)
# and the input is too: equal figures mean the same graph, whatever the parameters are called.
FINGERPRINTS = {
    "mnasnet_b1": (64, 1e-5, 113249.0487, 189885.0911),
    "mnasnet_a1": (64, 1e-5, 7284.868344, 4456.664302),
    "mobilenet_v1": (64, 1e-5, 2.129073073, 5.507647652),
    "mobilenet_v2": (64, 1e-5, 164.991131, 88.77803926),
    "mobilenet_v3_large": (64, 1e-3, 152.8688458, 4829.23271),
    "efficientnet_b0": (64, 1e-5, -11.15659853, 9.969639736),
    "proxylessnas_mobile": (224, 1e-3, 136.7146018, 99.7714623),
    "darts_v2_small": (32, 1e-5, -22902.5196, 90733.0706),
}


def test_every_preset_is_counted() -> None:
    assert presets().keys() == COUNTS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_the_published_ones(name: str) -> None:
    found = preset(name)
    counted = count(plan_network(found.blueprint, found.scale))
    assert (counted.parameters, counted.macs) == COUNTS[name]


def uniform(count: int) -> torch.Tensor:
    """A hash of 1..count in [0, 1), in exact integer arithmetic."""
    x = torch.arange(1, count + 1, dtype=torch.int64) & 0xFFFFFFFF
    for _ in range(2):
        x = ((x >> 16) ^ x) * 0x45D9F3B & 0xFFFFFFFF
    return ((x >> 16) ^ x).double() / 2**32


def filled(network: nn.Module, eps: float) -> nn.Module:
    """Every tensor from its own shape alone, in double precision and evaluation mode."""
    for module in network.double().eval().modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight
            bound = (6 / weight[0].numel()) ** 0.5
            weight.data.copy_(((2 * uniform(weight.numel()) - 1) * bound).view_as(weight))
            if module.bias is not None:
                module.bias.data.copy_((uniform(module.bias.numel()) - 0.5) * 0.2)
        elif isinstance(module, nn.BatchNorm2d):
            hashed = uniform(module.num_features)
            module.eps = eps
            module.weight.data.copy_(1 + (hashed - 0.5) * 0.2)
            module.bias.data.copy_((hashed.flip(0) - 0.5) * 0.2)
    return network


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_the_function_is_the_published_one(name: str) -> None:
    found = preset(name)
    size, eps, total, length = FINGERPRINTS[name]
    network = filled(Network(plan_network(found.blueprint, found.scale)), eps)
    images = 8 * (2 * uniform(3 * size * size) - 1).view(1, 3, size, size)
    with torch.no_grad():
        logits = network(images)
    assert logits.sum().item() == pytest.approx(total, rel=1e-8)
    assert logits.norm().item() == pytest.approx(length, rel=1e-8)


def counted_at(name: str, **changes: object) -> tuple[int, int]:
    found = preset(name)
    counted = count(plan_network(found.blueprint, replace(found.scale, **changes)))  # type: ignore[arg-type]
    return counted.parameters, counted.macs


def test_other_inputs_and_classes_are_counted_too() -> None:
    assert counted_at("mobilenet_v2", classes=10)[0] == 2_236_682


def test_cells_of_other_numbers_are_the_other_published_networks() -> None:
    assert counted_at("amoebanet_a_cifar", filters=32) == (2_567_754, 407_671_808)
    imagenet = {"resolution_px": 224, "classes": 1000, "stem": "imagenet"}
    counts = counted_at("darts_v1_cifar", **imagenet, filters=48, repeats=(4, 4, 4))
    assert counts == (4_510_432, 505_864_704)


@pytest.mark.parametrize(
    ("resolution_px", "macs"), [(192, 418_121_728), (160, 290_675_200), (128, 186_400_768)]
)
def test_mobilenet_v1_has_the_multiply_adds_of_its_table_of_resolutions(
    resolution_px: int, macs: int
) -> None:
    # arXiv 1704.04861, table 7: 418, 290 and 186 million
    assert counted_at("mobilenet_v1", resolution_px=resolution_px)[1] == macs


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("mobilenet_v2", (300, 221, 154, 99, 56)),
        ("mobilenet_v2_075", (209, 153, 107, 69, 39)),
        ("mobilenet_v2_050", (97, 71, 50, 32, 18)),
        ("mobilenet_v2_035", (59, 43, 30, 20, 11)),
    ],
)
def test_mobilenet_v2_has_the_multiply_adds_of_its_released_weights(
    name: str, millions: tuple[int, ...]
) -> None:
    # tensorflow/models, research/slim/nets/mobilenet; digits behind the point are cut off there.
    macs = [counted_at(name, resolution_px=px)[1] for px in (224, 192, 160, 128, 96)]
    assert tuple(each // 10**6 for each in macs) == millions


def test_networks_of_the_same_cells_share_a_blueprint() -> None:
    for family in ("nasnet_a", "pnasnet_5", "amoebanet_a", "darts_v2"):
        members = [found.blueprint for name, found in presets().items() if name.startswith(family)]
        assert len(members) > 1
        assert len({member.fingerprint for member in members}) == 1
    cells = [found.blueprint for name, found in presets().items() if found.scale.filters]
    assert len({blueprint.fingerprint for blueprint in cells}) == 5


@pytest.mark.parametrize("number", range(1, 8))
def test_efficientnets_are_b0_at_other_scales(number: int) -> None:
    found = preset(f"efficientnet_b{number}")
    assert found.blueprint == preset("efficientnet_b0").blueprint
    # The coefficients of google-research's release: width, depth, resolution.
    width, depth, resolution_px = {
        1: (1.0, 1.1, 240),
        2: (1.1, 1.2, 260),
        3: (1.2, 1.4, 300),
        4: (1.4, 1.8, 380),
        5: (1.6, 2.2, 456),
        6: (1.8, 2.6, 528),
        7: (2.0, 3.1, 600),
    }[number]
    assert found.scale == Scale("published", resolution_px, width, depth, classes=1000)


def blocks(found: Preset) -> list[Layer]:
    """The layers that may skip."""
    plan = plan_network(found.blueprint, found.scale)
    return [layer for _, part in plan.parts for layer in part if issubclass(layer.module, Block)]


@pytest.mark.parametrize("name", [f"efficientnet_b{number}" for number in range(8)])
def test_efficientnets_skip_around_every_layer_that_keeps_channels_and_size(name: str) -> None:
    for layer in blocks(preset(name)):
        shape = layer.arguments
        keeps = shape["in_channels"] == shape["out_channels"] and shape["stride"] == 1
        assert shape["skip"] == keeps


@pytest.mark.parametrize("name", ["nasnet_a_mobile", "darts_v2_cifar"])
def test_a_preset_says_nothing_of_training(name: str) -> None:
    found = preset(name)
    assert found.blueprint == Blueprint(found.blueprint.network)


def test_mobile_cells_contains_what_it_was_made_from() -> None:
    space = load_space("mobile_cells")
    for name in ("mnasnet_a1", "mnasnet_b1", "mobilenet_v2"):
        blueprint = preset(name).blueprint
        assert space.decode(space.encode(blueprint)).fingerprint == blueprint.fingerprint
    with pytest.raises(ValueError, match="activation"):
        space.encode(preset("efficientnet_b0").blueprint)


def test_every_preset_has_a_title_and_an_unknown_one_is_told() -> None:
    assert all(found.title for found in presets().values())
    with pytest.raises(UnknownName, match='Did you mean "mobilenet_v2"'):
        preset("mobilnet_v2")
