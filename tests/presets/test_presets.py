"""Published networks have exactly the published counts, and compute the published function."""

from dataclasses import replace

import pytest

from evonas.blueprint import Blueprint, plan_network
from evonas.conversion.fingerprint import fingerprint
from evonas.errors import UnknownName
from evonas.models import Network, count
from evonas.models.layers import Block
from evonas.models.modules import MODULES
from evonas.networks import Scale
from evonas.networks.plan import Layer
from evonas.presets import Preset, preset, presets

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
    "densenet121": (7_978_856, 2_834_161_664),
    "densenet161": (28_681_000, 7_727_907_072),  # ours; torchvision's has as many parameters
    "densenet169": (14_149_480, 3_359_843_328),
    "densenet201": (20_013_928, 4_291_365_888),
    "densenet264": (33_337_704, 5_751_653_376),
    "densenet_40_12": (1_019_722, 264_812_928),
    "densenet_100_12": (6_979_642, 1_769_516_448),
    "densenet_bc_100_12": (769_162, 287_929_692),
    "densenet_bc_250_24": (15_324_406, 5_418_785_724),  # ours; 15.3M in arXiv 1608.06993, table 2
    "densenet_bc_190_40": (25_624_430, 9_301_945_740),
    "dpn68": (12_611_602, 2_326_163_456),
    "dpn92": (37_668_392, 6_501_684_224),
    "dpn98": (61_570_728, 11_671_217_152),  # ours; timm's has as many parameters
    "dpn131": (79_254_504, 16_013_648_896),
    "shufflenet_v2_050": (1_366_792, 40_476_448),
    "shufflenet_v2": (2_278_604, 144_907_992),
    "shufflenet_v2_150": (3_503_624, 295_759_392),  # ours; torchvision's has as many parameters
    "shufflenet_v2_200": (7_393_996, 583_253_464),
    "darknet53": (41_609_928, 9_285_115_904),
    "cspdarknet53": (27_642_184, 6_533_652_480),
    "cspdarknet53_mish": (27_642_184, 6_533_652_480),
    "cspresnet50": (21_616_168, 4_517_240_832),
    "cspresnext50": (20_569_896, 4_014_948_352),  # ours; timm's has as many parameters
    "fractalnet_c2": (13_325_322, 296_096_768),  # ours
    "fractalnet_c3": (33_724_618, 845_222_912),
    "fractalnet_c4": (76_106_634, 2_036_077_568),
    "lenet5": (62_006, 651_720),
    "first_dnn": (68_260, 478_608),
    "alexnet": (61_100_840, 714_188_480),
    "zfnet": (62_357_608, 1_168_032_896),
    "vgg11": (132_863_336, 7_609_090_048),
    "vgg13": (133_047_848, 11_308_466_176),
    "vgg16_c": (133_638_952, 11_770_888_192),
    "vgg16": (138_357_544, 15_470_264_320),
    "vgg19": (143_667_240, 19_632_062_464),  # ours; torchvision's vgg19 has as many parameters
    "vgg16_bn": (138_365_992, 15_470_264_320),
    "vgg11_cifar": (28_144_010, 171_679_744),  # ours; 9,225,610 with a single linear layer
    "vgg16_cifar": (33_638_218, 332_111_872),
    "vgg19_cifar": (38_947_914, 417_046_528),
    "nin_cifar": (966_986, 222_486_528),
    "squeezenet_10": (1_248_424, 818_924_576),  # ours; torchvision's has as many parameters
    "squeezenet_11": (1_235_496, 349_151_936),
    "xception": (22_855_952, 8_357_403_496),
    "darknet19": (20_842_376, 2_790_989_824),
    "googlenet": (6_624_904, 1_498_376_192),
    "inception_v1": (6_998_552, 1_582_671_872),  # Caffe's bvlc_googlenet has as many
    "bn_inception": (11_295_240, 2_032_600_064),
    "inception_v3": (23_834_568, 5_713_216_096),
    "inception_v4": (42_679_816, 12_253_974_624),  # ours; timm's has as many parameters
    "inception_resnet_v1": (23_995_624, 6_308_235_360),
    "inception_resnet_v2": (55_843_464, 13_155_794_016),
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet101": (44_549_160, 7_801_405_440),  # ours; torchvision's has as many parameters
    "resnet152": (60_192_808, 11_513_626_624),
    "wide_resnet50_2": (68_883_240, 11_398_021_120),
    "wide_resnet101_2": (126_886_696, 22_753_050_624),  # ours; as many parameters in torchvision
    "resnext50_32x4d": (25_028_904, 4_230_479_872),
    "resnext101_32x8d": (88_791_336, 16_414_015_488),
    "resnext101_64x4d": (83_455_272, 15_460_270_080),  # ours; as many parameters in torchvision
    "preact_resnet50": (25_549_352, 4_089_184_256),
    "se_resnet50": (28_088_024, 4_091_699_200),
    "resnest14d": (10_611_688, 2_749_405_184),
    "resnest26d": (17_069_448, 3_623_391_232),  # ours; 17.1M and 3.6G in timm
    "resnest50d": (27_483_240, 5_371_160_576),
    "resnest50d_4s2x40d": (30_417_592, 4_369_060_736),  # ours; 30.4M and 4.4G in timm
    "resnest101e": (48_275_016, 13_321_472_000),
    "wrn_16_4": (2_748_890, 392_612_352),
    "wrn_16_8": (10_961_370, 1_548_145_664),
    "wrn_28_10": (36_479_194, 5_243_328_768),
    "wrn_40_4": (8_949_210, 1_298_582_016),  # ours; 8.9M in arXiv 1605.07146, table 4
    "wrn_40_8": (35_748_314, 5_172_024_320),
    "resnet20_cifar": (272_474, 40_813_184),
    "resnet32_cifar": (466_906, 69_124_736),
    "resnet56_cifar": (855_770, 125_747_840),  # ours; option A's 853,018 and the projections' 2,752
    "resnet110_cifar": (1_730_714, 253_149_824),
    "resnext29_32x4d": (4_775_754, 774_055_936),
    "shake_shake_26_2x32d": (2_923_162, 426_689_792),
    "ssd300_vgg16_voc": (
        26_285_486,
        31_373_537_792,
    ),  # MACs ours; of 90 classes 34.858 G in torchvision
    "yolov2_coco": (50_962_889, 14_732_084_224),
    "yolov2_voc": (50_655_389, 14_680_167_424),
    "yolov2_tiny_voc": (15_861_773, 3_485_520_896),  # by the arithmetic of its cfg in `test_yolo`
    "yolov3_coco": (61_949_149, 19_486_412_800),
    "yolov3_voc": (61_626_049, 32_713_987_072),
    "yolov3_tiny": (8_852_366, 2_782_480_896),
    "yolov3_spp": (62_998_749, 70_724_486_144),  # likewise
    "yolov3_asff": (66_853_814, 76_028_038_224),  # of what differs from yolov3_spp in `test_asff`
    "yolov4_coco": (64_363_101, 30_052_385_792),
    "yolov4_tiny": (6_056_606, 3_453_938_176),  # likewise
}

# Sum and length of the logits of published code (`fingerprint`): of the same graph, equal figures,
# whatever the parameters are called.
FINGERPRINTS = {
    "mnasnet_b1": (64, 113249.0487, 189885.0911),
    "mnasnet_a1": (64, 7284.868344, 4456.664302),
    "mobilenet_v1": (64, 2.129073073, 5.507647652),
    "mobilenet_v2": (64, 164.991131, 88.77803926),
    "mobilenet_v3_large": (64, 152.8688458, 4829.23271),
    "efficientnet_b0": (64, -11.15659853, 9.969639736),
    "proxylessnas_mobile": (224, 136.7146018, 99.7714623),
    "darts_v2_small": (32, -22902.5196, 90733.0706),
    "densenet121": (64, 59.65821042, 231.8042249),
    "dpn68": (64, 404530.1224, 327907.4362),
    "shufflenet_v2": (64, -2074.203203, 2347.413996),
    "googlenet": (64, -223.2571852, 546.8117128),
    "inception_v3": (96, -67.32183159, 31.71147089),
    "xception": (96, 934664761.3, 1752501609.0),
    "darknet19": (224, 216.9346192, 561.7344944),
    "cspdarknet53": (64, 15316640.59, 15473694.3),
    "nin_cifar": (32, 29.96190184, 17.17113215),
    "resnet18": (64, 3998.849381, 3851.285715),
    "resnet50": (64, -205298.6383, 655167.2986),
    "resnext50_32x4d": (64, 221733.3018, 1118201.39),
    "preact_resnet50": (64, -148549.0435, 574136.094),
    "resnest50d": (64, -297784.8564, 674154.5534),
    "resnet20_cifar": (32, -329.1934928, 244.47168),
}


def test_every_preset_is_counted() -> None:
    assert presets().keys() == COUNTS.keys()


@pytest.mark.parametrize("name", COUNTS)
def test_counts_are_the_published_ones(name: str) -> None:
    found = preset(name)
    counted = count(plan_network(found.blueprint, found.scale))
    assert (counted.parameters, counted.macs) == COUNTS[name]


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_the_function_is_the_published_one(name: str) -> None:
    found = preset(name)
    size, total, length = FINGERPRINTS[name]
    computed = fingerprint(Network(plan_network(found.blueprint, found.scale)), size)
    assert computed.sum == pytest.approx(total, rel=1e-8)
    assert computed.length == pytest.approx(length, rel=1e-8)


def counted_at(name: str, **changes: object) -> tuple[int, int]:
    found = preset(name)
    counted = count(plan_network(found.blueprint, replace(found.scale, **changes)))  # type: ignore[arg-type]
    return counted.parameters, counted.macs


def test_other_inputs_and_classes_are_counted_too() -> None:
    assert counted_at("mobilenet_v2", classes=10)[0] == 2_236_682
    assert counted_at("ssd300_vgg16_voc", classes=90) == (35_641_826, 34_858_153_472)


def test_cells_of_other_numbers_are_the_other_published_networks() -> None:
    assert counted_at("amoebanet_a_cifar", filters=32) == (2_567_754, 407_671_808)
    imagenet = {"resolution_px": 224, "classes": 1000, "stem": "imagenet"}
    counts = counted_at("darts_v1_cifar", **imagenet, filters=48, repeats=(4, 4, 4))
    assert counts == (4_510_432, 505_864_704)


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


# The coefficients of google-research's release: width, depth, resolution.
@pytest.mark.parametrize(
    ("name", "width", "depth", "resolution_px"),
    [
        ("efficientnet_b1", 1.0, 1.1, 240),
        ("efficientnet_b2", 1.1, 1.2, 260),
        ("efficientnet_b3", 1.2, 1.4, 300),
        ("efficientnet_b4", 1.4, 1.8, 380),
        ("efficientnet_b5", 1.6, 2.2, 456),
        ("efficientnet_b6", 1.8, 2.6, 528),
        ("efficientnet_b7", 2.0, 3.1, 600),
    ],
)
def test_efficientnets_are_b0_at_other_scales(
    name: str, width: float, depth: float, resolution_px: int
) -> None:
    found = preset(name)
    assert found.blueprint == preset("efficientnet_b0").blueprint
    assert found.scale == Scale("published", resolution_px, width, depth, classes=1000)


def blocks(found: Preset) -> list[Layer]:
    """The layers that may skip."""
    plan = plan_network(found.blueprint, found.scale)
    return [layer for layer in plan.layers if issubclass(MODULES[layer.module], Block)]


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


def test_every_preset_has_a_title_and_an_unknown_one_is_told() -> None:
    assert all(found.title for found in presets().values())
    with pytest.raises(UnknownName, match='Did you mean "mobilenet_v2"'):
        preset("mobilnet_v2")
