"""Names of which it is known where their layers belong.

For each of these the network of another program, written by these names, and the one here gave the
same numbers, to 1e-8 (`tests/conversion/test_state_dicts.py`). A key is of the places of all layers
but the classifier, which is one alone.
"""

from collections.abc import Mapping

from evonas.key import key_of

# Of torchvision's names, and of timm's where these are others.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "resnet18": ("9c98d0001c63064e",),
    "resnet50": ("13b0580a3434b7e1",),
    "resnext50_32x4d": ("13b0580a3434b7e1",),
    "se_resnet50": ("dc644e9ac40be711",),
    "preact_resnet50": ("18d6f41583c5a315",),
    "resnest14d": ("fc053eda5bc1e74c",),
    "densenet121": ("58816d78d70d5be0",),
    "dpn68": ("f5a1088eee146412",),
    "cspdarknet53": ("bf38d175ee1e62af",),
    "xception": ("310953f374954eff",),
    "mnasnet_b1": ("6add1c8b29065111", "f43d485c54c35398"),
    "mnasnet_a1": ("0d116ede31172e35",),
    "mobilenet_v1": ("5308982d9e54e87e",),
    "mobilenet_v2": ("427bb14f1ae8f898", "0eee4c2791a29b89"),
    "mobilenet_v3_large": ("afadf704b2c284ba",),
    "efficientnet_b0": ("844a289862938514", "fa9543fe7acb6d79"),
    "shufflenet_v2": ("6734598a23083241",),
    "squeezenet_11": ("3299529dcc78fbcd",),
    "googlenet": ("1c9ba834683520e4",),
    "inception_v3": ("154a89135777b3f7",),
    "vgg11": ("3121edc829acf78c",),
}


def are_known(preset: str, places: Mapping[str, str]) -> bool:
    """True if layers of a published network are where these names are known to belong.

    Args:
        places: For the name of each layer but the classifier, its name in the file.
    """
    return key_of(dict(places)) in KNOWN.get(preset, ())
