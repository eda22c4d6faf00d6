"""Published networks as backbones of detectors: a word in a space file for a section."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from evonas.errors import SpaceError
from evonas.networks import scaled
from evonas.networks.detector.backbone_forms import FORMS, SHARED
from evonas.presets import preset

WORD = "preset"
AT = ("network", "backbone")  # where the word may stand
GENE_AT = (*AT, WORD)  # where a gene may choose the name


def written_out(network: Mapping[str, Any], name: str | None = None) -> Mapping[str, Any]:
    """A network section with the published backbone's layers in place of its name.

    Args:
        name: In place of the one that stands there.
    """
    _, key = AT
    backbone = network.get(key)
    if not isinstance(backbone, Mapping) or WORD not in backbone:
        return network
    own = {key: value for key, value in backbone.items() if key != WORD}
    return {**network, key: {**backbone_of(name or backbone[WORD]), **own}}


def backbone_of(name: Any) -> Mapping[str, Any]:
    """The layers of a published network, as wide and as deep as it was published.

    Those of a detector are its backbone's.

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
    return _published(name)


@cache
def _published(name: str) -> Mapping[str, Any]:
    found = preset(name)
    network = found.blueprint.network
    if network["builder"] == "detector":
        shared = {key: network[key] for key in SHARED if key in network}
        return {**shared, **network["backbone"]}
    form = FORMS.get(network["builder"])
    if form is None:
        raise SpaceError(
            f"{name} is a network of {network['builder']}, and a backbone is one of "
            f"{' or of a '.join(FORMS)}, as mobilenet_v2 or vgg16 is."
        )
    # Chains and detectors are published in the widths that they are written in.
    sized = scaled(network, found.scale) if network["builder"] == "stages" else network
    return {key: sized[key] for key in (*SHARED, *form.keys) if key in sized}
