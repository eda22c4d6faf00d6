"""Published networks have exactly the published counts, and compute the published function."""

import pytest
import torch
from torch import nn

from evonas.errors import UnknownName
from evonas.models import Network, count, plan_network
from evonas.models.presets import preset, presets

# Parameters and multiply-adds at the published input and 1000 classes.
COUNTS = {
    "mnasnet_b1": (4_383_312, 314_415_872),
    "mnasnet_b1_075": (3_170_208, 215_493_104),
    "mnasnet_b1_050": (2_218_512, 104_455_968),
    "mnasnet_a1": (3_887_038, 311_579_072),
    "mnasnet_small": (2_030_264, 68_339_184),
    "mobilenet_v1": (4_231_976, 568_740_352),
    "mobilenet_v1_075": (2_585_560, 325_400_448),
    "mobilenet_v1_025": (470_072, 41_030_272),
    "conv_mobilenet": (29_294_088, 4_867_293_184),
    "mobilenet_v2": (3_504_872, 300_774_272),
    "mobilenet_v2_035": (1_677_128, 59_285_808),
    "mobilenet_v2_050": (1_968_680, 97_131_840),
    "mobilenet_v2_075": (2_636_424, 209_069_792),
    "mobilenet_v2_140": (6_108_776, None),
    "mobilenet_v3_large": (5_483_032, 216_589_760),
    "mobilenet_v3_small": (2_542_856, 56_510_400),
    "efficientnet_b0": (5_288_548, 385_814_752),
    "efficientnet_b1": (7_794_184, 686_802_832),
    "efficientnet_b2": (9_109_994, 993_561_872),
    "efficientnet_b3": (12_233_232, None),
    "efficientnet_b4": (19_341_616, 4_393_771_024),
    "efficientnet_b5": (30_389_784, 10_266_384_752),
    "efficientnet_b6": (43_040_704, None),
    "efficientnet_b7": (66_347_960, 37_745_884_192),
    "fbnet_c": (5_572_200, 384_960_160),
    "proxylessnas_mobile": (4_080_512, 320_427_584),
    "spnasnet": (4_421_616, 333_467_072),
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
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_the_published_ones(name: str) -> None:
    found = preset(name)
    counted = count(plan_network(found.blueprint, found.scale))
    parameters, macs = COUNTS[name]
    assert counted.parameters == parameters
    assert macs is None or counted.macs == macs


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


def test_other_inputs_and_classes_are_counted_too() -> None:
    from dataclasses import replace

    found = preset("mobilenet_v2")
    counted = count(plan_network(found.blueprint, replace(found.scale, classes=10)))
    assert counted.parameters == 2_236_682


def test_mobile_cells_contains_what_it_was_made_from() -> None:
    from evonas.space import load_space

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
