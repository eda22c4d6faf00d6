"""The parameter counts of keras.io/api/applications follow from ours, row by row.

Keras counts two running statistics for each channel of a batch norm, which are no parameters
here. Some of its networks have a bias in front of each norm, some norms without a scale, and
EfficientNet begins with a layer that normalises three channels.
"""

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.models import Network, count
from evonas.presets import Preset, preset

STATISTICS = 2  # of a channel of a norm: running mean and variance
BIAS = 1  # of the convolution in front of it
SCALE = 1
INPUT = 7  # mean and variance of three channels, and how many were seen

# Our name, what Keras counts, and how it comes about: so much more for each channel of a norm, and
# so much more once.
TABLE = {
    "Xception": ("xception", 22_910_480, STATISTICS, 0),
    "VGG16": ("vgg16", 138_357_544, STATISTICS, 0),
    "VGG19": ("vgg19", 143_667_240, STATISTICS, 0),
    "ResNet50": ("resnet50", 25_636_712, STATISTICS + BIAS, 0),
    "ResNet101": ("resnet101", 44_707_176, STATISTICS + BIAS, 0),
    "ResNet152": ("resnet152", 60_419_944, STATISTICS + BIAS, 0),
    "InceptionV3": ("inception_v3", 23_851_784, STATISTICS - SCALE, 0),
    "InceptionResNetV2": ("inception_resnet_v2", 55_873_736, STATISTICS - SCALE, 0),
    "MobileNet": ("mobilenet_v1", 4_253_864, STATISTICS, 0),
    "MobileNetV2": ("mobilenet_v2", 3_538_984, STATISTICS, 0),
    "DenseNet121": ("densenet121", 8_062_504, STATISTICS, 0),
    "DenseNet169": ("densenet169", 14_307_880, STATISTICS, 0),
    "DenseNet201": ("densenet201", 20_242_984, STATISTICS, 0),
    "NASNetMobile": ("nasnet_a_mobile", 5_326_716, STATISTICS, 0),
    "NASNetLarge": ("nasnet_a_large", 88_949_818, STATISTICS, 0),
    "EfficientNetB0": ("efficientnet_b0", 5_330_571, STATISTICS, INPUT),
    "EfficientNetB1": ("efficientnet_b1", 7_856_239, STATISTICS, INPUT),
    "EfficientNetB2": ("efficientnet_b2", 9_177_569, STATISTICS, INPUT),
    "EfficientNetB3": ("efficientnet_b3", 12_320_535, STATISTICS, INPUT),
    "EfficientNetB4": ("efficientnet_b4", 19_466_823, STATISTICS, INPUT),
    "EfficientNetB5": ("efficientnet_b5", 30_562_527, STATISTICS, INPUT),
    "EfficientNetB6": ("efficientnet_b6", 43_265_143, STATISTICS, INPUT),
    "EfficientNetB7": ("efficientnet_b7", 66_658_687, STATISTICS, INPUT),
}

# Blocks of each stage, and what Keras counts.
RESNET_V2 = {
    "ResNet50V2": ((3, 4, 6, 3), 25_613_800),
    "ResNet101V2": ((3, 4, 23, 3), 44_675_560),
    "ResNet152V2": ((3, 8, 36, 3), 60_380_648),
}
CHANNELS = (256, 512, 1024, 2048)  # of the blocks of its stages


def parameters_and_norms(found: Preset) -> tuple[int, int]:
    """Our parameters, and the channels of all batch norms."""
    plan = plan_network(found.blueprint, found.scale)
    with torch.device("meta"):
        network = Network(plan)
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    return count(plan).parameters, sum(norm.num_features for norm in norms)


@pytest.mark.parametrize("row", TABLE)
def test_the_total_of_keras_follows_from_our_count(row: str) -> None:
    name, total, more_a_channel, more = TABLE[row]
    parameters, channels = parameters_and_norms(preset(name))
    assert parameters + more_a_channel * channels + more == total


def biases_without_norm(depths: Sequence[int]) -> int:
    """Of ResNetV2, whose norms come first: the stem, the ends of blocks, a shortcut a stage."""
    ends = sum(width * depth for width, depth in zip(CHANNELS, depths, strict=True))
    return 64 + ends + sum(CHANNELS)


def resnet_v2(depths: Sequence[int]) -> Preset:
    """The published network with other depths."""
    found = preset("preact_resnet50")
    network = found.blueprint.network
    stages = [
        {**stage, "layers": depth} for stage, depth in zip(network["stages"], depths, strict=True)
    ]
    return Preset("", "", Blueprint({**network, "stages": stages}), found.scale)


@pytest.mark.parametrize("row", RESNET_V2)
def test_the_total_of_keras_follows_where_norms_come_first(row: str) -> None:
    depths, total = RESNET_V2[row]
    parameters, channels = parameters_and_norms(resnet_v2(depths))
    assert parameters + STATISTICS * channels + biases_without_norm(depths) == total
