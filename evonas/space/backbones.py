"""Published networks as backbones of detectors: a word in a space file for a section."""

from typing import Any

from evonas.errors import SpaceError
from evonas.networks import scaled
from evonas.networks.detector.backbone_forms import FORMS, SHARED
from evonas.presets import preset

WORD = "preset"
AT = ("network", "backbone")  # where the word may stand


def backbone_of(name: Any) -> dict[str, Any]:
    """The layers of a published network, as wide and as deep as it was published.

    `drop_path` and the constants of norms and activations are those of the space.

    Raises:
        SpaceError: It is no name.
        UnknownName: There is no such network.
        SpaceError: It is a network that no backbone is written like.
    """
    if not isinstance(name, str):
        raise SpaceError(
            f"{name} is no name of a published network. Write one, as in mobilenet_v2."
        )
    found = preset(name)
    network = found.blueprint.network
    form = FORMS.get(network["builder"])
    if form is None:
        raise SpaceError(
            f"{name} is a network of {network['builder']}, and a backbone is one of "
            f"{' or of a '.join(FORMS)}, as mobilenet_v2 or vgg16 is."
        )
    # Chains are published in the widths that they are written in.
    sized = scaled(network, found.scale) if network["builder"] == "stages" else network
    return {key: sized[key] for key in (*SHARED, *form.keys) if key in sized}
