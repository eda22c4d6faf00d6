"""A model that is to learn other classes than it knows: its last layer anew, the rest as it is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from evonas.delivery.enlarge import SIZE
from evonas.delivery.final_compression import SECTION
from evonas.evaluation.measures import is_trained
from evonas.exporters.file_names import BASE, FILES, WEIGHTS
from evonas.exporters.weights import tensors_of
from evonas.model_folder.model_folder import ModelFolder
from evonas.model_folder.recipe_file import Recipe
from evonas.models import Network
from evonas.networks import planned, with_classes
from evonas.networks.problem import told_classes
from evonas.reports.sizes import told_sizes

TRANSFERRED = "transferred_from"  # in search.json: the classes that the first weights knew

Said = Collection[tuple[str, ...]]  # keys of settings that somebody wrote


@dataclass(frozen=True)
class Beginning:
    """What a retraining begins with.

    `recipe` says by `training.weights` which weights, `facts` what the network is built from;
    `is_new` if that is another one than the folder's. `fresh` are the tensors that no weights are
    taken for. `lines` tell what is changed.
    """

    recipe: Recipe
    facts: dict[str, Any]
    is_new: bool = False
    fresh: frozenset[str] = frozenset()
    lines: tuple[str, ...] = ()


def beginning(
    folder: ModelFolder,
    recipe: Recipe,
    facts: Mapping[str, Any],
    classes: tuple[str, ...],
    said: Said,
    is_resized: bool = False,
) -> Beginning:
    """What a retraining on data of these classes begins with.

    Where they are other ones than the model knows, that is the folder's own weights but for those
    of the last layer, unless `training.weights` was said or nothing has trained them. Anchors are
    found anew.

    Args:
        recipe, facts: Of the folder, or what another size makes of them (`is_resized`): then none
            of its weights are taken.

    Raises:
        ExportError: The folder does not say what its network is built from, or its weights are not
            as evonas wrote them.
        BuildError: Its last layer cannot be replaced.
    """
    is_other = classes != recipe.classes
    facts = dict(facts)
    known = facts.pop(TRANSFERRED, ())
    lines = [f"The network gets another size: {told_sizes(recipe.origin.enlarged)}."][:is_resized]
    changes = _changes(folder, recipe, is_other, is_resized)
    unsaid = {key: own for key, own in changes.items() if ("training", key) not in said}
    recipe = _with_training(recipe, unsaid)
    if is_other:
        facts |= _with_classes(folder, facts, len(classes))
        lines.append(_told(folder, recipe, classes))
    name = _checked(folder, recipe)
    known = recipe.classes if is_other else known if name == BASE else ()
    facts |= {TRANSFERRED: list(known)} if name and known else {}
    fresh = tensors_of_classes(facts[SECTION]) if name and is_other else frozenset()
    return Beginning(recipe, facts, is_other or is_resized, fresh, tuple(lines))


def _changes(
    folder: ModelFolder, recipe: Recipe, is_other: bool, is_resized: bool
) -> dict[str, Any]:
    """What other settings of training there are where nobody says any."""
    changes = {"anchors": None} if is_other else dict[str, Any]()
    if is_other and not is_resized and not folder.has_fresh_weights:
        return {**changes, "weights": folder.path.absolute() / WEIGHTS}
    return {**changes, "weights": None} if is_resized and own_file(folder, recipe) else changes


def _with_classes(folder: ModelFolder, facts: Mapping[str, Any], classes: int) -> dict[str, Any]:
    """The facts that depend on the classes; scores of the search say nothing of others."""
    section = with_classes(facts.get(SECTION) or folder.section(), classes)
    sized = {SIZE: {**facts[SIZE], "classes": classes}} if SIZE in facts else {}
    kept = {
        key: {name: own for name, own in facts[key].items() if not is_trained(name)}
        for key in ("measures", "scales")
    }
    return {SECTION: section, **sized, **kept}


def _with_training(recipe: Recipe, change: Mapping[str, Any]) -> Recipe:
    training = recipe.training.model_copy(update=change)
    return recipe.model_copy(update={"training": training})


def _told(folder: ModelFolder, recipe: Recipe, classes: tuple[str, ...]) -> str:
    weights = recipe.training.weights
    if weights is None:
        rest = "its other weights are fresh as well"
    elif own_file(folder, recipe) is None:
        rest = f"the training begins with {weights}"
    else:
        rest = (
            "the training begins with the other weights of the model (with "
            "training.weights=null, with fresh ones)"
        )
    return (
        f"The model knows {told_classes(recipe.classes)}, and the data have "
        f"{told_classes(classes)}. Its last layer is replaced, and {rest}."
    )


def tensors_of_classes(section: Mapping[str, Any]) -> frozenset[str]:
    """The tensors of a scaled section's network whose shape follows from the number of classes."""
    own, larger = (_shapes(with_classes(section, section["classes"] + more)) for more in (0, 1))
    return frozenset(name for name, shape in own.items() if larger[name] != shape)


def _shapes(section: Mapping[str, Any]) -> dict[str, torch.Size]:
    with torch.device("meta"):
        return {name: own.shape for name, own in Network(planned(section)).state_dict().items()}


def own_file(folder: ModelFolder, recipe: Recipe) -> str | None:
    """The file of the folder that the training begins with, if it begins with one of it."""
    weights = recipe.training.weights
    if weights is None or weights.name not in FILES:
        return None
    return weights.name if weights.parent.resolve() == folder.path.resolve() else None


def _checked(folder: ModelFolder, recipe: Recipe) -> str | None:
    """That file, once it is known to be as evonas wrote it."""
    name = own_file(folder, recipe)
    if name is not None and (folder.path / name).is_file():
        folder.read(name)
    return name


def as_written(
    folder: ModelFolder, recipe: Recipe, fresh: Collection[str] = ()
) -> tuple[Recipe, dict[str, bytes]]:
    """The recipe as the folder gets it, and the file of weights that it names.

    What a training began with is kept if it was a file of the folder, which has other weights now:
    so a further retraining begins with the same.

    Raises:
        ExportError: The file is not as evonas wrote it.
    """
    name = own_file(folder, recipe)
    if name is None:
        return recipe, {}
    tensors = tensors_of(folder.read(name), folder.path / name)
    content = safetensors.torch.save({n: own for n, own in tensors.items() if n not in fresh})
    return _with_training(recipe, {"weights": Path(BASE)}), {BASE: content}
