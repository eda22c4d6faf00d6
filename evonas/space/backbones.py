"""Published networks as backbones of detectors: a word in a space file for a section."""

from typing import Any

from evonas.errors import SpaceError
from evonas.networks import scaled
from evonas.networks.detector.section import BACKBONE_KEYS
from evonas.presets import preset

WORD = "preset"
AT = ("network", "backbone")  # where the word may stand


def backbone_of(name: Any) -> dict[str, Any]:
    """Stem and stages of a published network, as wide and as deep as it was published.

    `drop_path` and the constants of norms and activations are those of the space.

    Raises:
        SpaceError: It is no name.
        UnknownName: There is no such network.
        SpaceError: It is no network of stages.
    """
    if not isinstance(name, str):
        raise SpaceError(
            f"{name} is no name of a published network. Write one, as in mobilenet_v2."
        )
    found = preset(name)
    network = found.blueprint.network
    if network["builder"] != "stages":
        raise SpaceError(
            f"{name} is a network of {network['builder']}, and a backbone is one of stages, as "
            "mobilenet_v2 or resnet18 is."
        )
    sized = scaled(network, found.scale)
    return {key: sized[key] for key in BACKBONE_KEYS if key in sized}
