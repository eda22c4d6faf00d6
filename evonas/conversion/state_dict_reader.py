"""State dicts of other programs, torchvision and timm among them, read onto published networks."""

from collections.abc import Mapping, Sequence

import torch

from evonas.blueprint import plan_network
from evonas.conversion.conversion import Conversion, without_weights
from evonas.conversion.known_places import are_known
from evonas.conversion.layer_matching import Matching, matched
from evonas.conversion.name_order import place
from evonas.conversion.named_layers import AUXILIARY, COUNTER, NamedLayer, Shape, layers_of
from evonas.conversion.tensor_file import TensorFile
from evonas.errors import SettingsError
from evonas.models import count
from evonas.presets import Preset, presets
from evonas.presets.resizing import sized

SHOWN = 3  # layers in a message
STATISTICS = (COUNTER, "running_mean", "running_var")  # of norms: no parameters


def read_state_dict(file: TensorFile, chosen: Preset) -> Conversion:
    """What a file of tensors by name is in a published network.

    Names of evonas are taken as they are. Of other programs, layers are put where they belong by
    order, shape and role (`layer_matching.matched`); auxiliary classifiers are left out. The
    classifier may be missing.

    Raises:
        SettingsError: The layers are those of another network.
    """
    own = {name: tuple(each.shape) for name, each in without_weights(chosen).state_dict().items()}
    layers, given = layers_of(own), layers_of(_shapes(file))
    found = _places(layers, given, file)
    _check(found, file, chosen)
    used = set(found.places.values())
    return Conversion(
        tensors=_tensors(file, own, found.places),
        origin=file.kind,
        images_seen=None,
        layers=(len(found.places), len(layers)),
        numbers=sum(
            file.tensors[f"{layer.name}.{name}"].numel()
            for layer in given
            if layer.name in used
            for name, _ in layer.shapes
        ),
        missing=tuple(
            f"{layer.name}.{name}" for layer in found.missing for name, _ in layer.shapes
        ),
        left_out=tuple(layer.name for layer in given if layer.is_auxiliary),
        alike=found.alike,
        has_known_names=are_known(chosen.name, _without(layers[-1].name, found.places)),
    )


def _without(classifier: str, places: Mapping[str, str]) -> dict[str, str]:
    return {name: theirs for name, theirs in places.items() if name != classifier}


def _tensors(
    file: TensorFile, own: Mapping[str, Shape], places: Mapping[str, str]
) -> dict[str, torch.Tensor]:
    """Those of the file under the names of the network, in its shapes, of 32 bits at least."""
    if own.keys() == file.tensors.keys():
        return {name: tensor.contiguous() for name, tensor in file.tensors.items()}
    found = {}
    for name, shape in own.items():
        layer, _, last = name.rpartition(".")
        if layer in places and last == COUNTER:
            found[name] = torch.tensor(0)
        elif layer in places:
            given = file.tensors[f"{places[layer]}.{last}"]
            kind = torch.promote_types(given.dtype, torch.float32)
            found[name] = given.detach().to(kind).reshape(shape).clone()
    return found


def _shapes(file: TensorFile) -> dict[str, Shape]:
    """Of all tensors, in the order of their network."""
    names = file.tensors if file.is_ordered else sorted(file.tensors, key=place)
    return {name: tuple(file.tensors[name].shape) for name in names}


def _places(own: Sequence[NamedLayer], given: Sequence[NamedLayer], file: TensorFile) -> Matching:
    if {layer.name: layer.shapes for layer in own} == {each.name: each.shapes for each in given}:
        return Matching({layer.name: layer.name for layer in own})
    return matched(own, [layer for layer in given if not layer.is_auxiliary])


def _check(found: Matching, file: TensorFile, chosen: Preset) -> None:
    """Raises a SettingsError unless all layers but the classifier have their places."""
    classes = [layer for layer in found.missing if _outputs(layer) == chosen.scale.classes]
    is_headless = len(found.missing) == len(classes) == 1
    if not found.left_over and (is_headless or not found.missing):
        return
    named = f"{chosen.name} with {chosen.scale.classes} classes"
    heads = [_outputs(layer) for layer in found.left_over]
    if is_headless and len(heads) == 1:
        raise SettingsError(
            f"{file.path} tells {heads[0]} classes apart ({_told(found.left_over)}), and {named} "
            f"has {_told(found.missing)}. Write --classes {heads[0]}."
        )
    raise SettingsError(
        f"{file.path} is of another network than {named}. It lacks {_told(found.missing)}; it has "
        f"besides {_told(found.left_over)}. {_advice(file, chosen.scale.classes)}"
    )


def _advice(file: TensorFile, classes: int) -> str:
    """The words for networks of as many parameters; takes seconds, for all of them are counted."""
    numbers = sum(
        tensor.numel()
        for name, tensor in file.tensors.items()
        if not name.endswith(STATISTICS) and AUXILIARY not in name.lower()
    )
    fitting = [
        name
        for name, each in presets().items()
        if count(plan_network(each.blueprint, sized(each, classes=classes).scale)).parameters
        == numbers
    ]
    if not fitting:
        return f"No published network with {classes} classes has its {numbers:,} parameters."
    return f"Its {numbers:,} parameters are as many as of --preset {' or of '.join(fitting)}."


def _outputs(layer: NamedLayer) -> int:
    return layer.shapes[0][1][0] if layer.shapes[0][1] else 0


def _told(layers: Sequence[NamedLayer]) -> str:
    """How many, and the shapes of the first."""
    some = [
        f"{layer.name} ({', '.join(f'{own} {shape}' for own, shape in layer.shapes)})"
        for layer in layers[:SHOWN]
    ]
    more = ", ..." if len(layers) > SHOWN else ""
    count = "1 layer" if len(layers) == 1 else f"{len(layers)} layers"
    return f"{count}: {', '.join(some)}{more}" if layers else "nothing"
