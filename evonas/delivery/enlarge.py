"""A design at another size than that of its search or its folder: larger, mostly."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from evonas.blueprint import Blueprint, plan_network, scaled_network
from evonas.delivery.final_compression import COMPRESSED, SECTION
from evonas.errors import BuildError, ExportError, SettingsError
from evonas.exporters.file_names import BLUEPRINT, FACTS, SOURCE
from evonas.model_folder.model_folder import ModelFolder
from evonas.model_folder.recipe_file import Recipe
from evonas.settings import FullSettings, Words
from evonas.space import Scale
from evonas.space.run_scales import SIZES, resized
from evonas.tasks import task_of

SIZE = "size"  # in search.json: the scale that model.py is built at
GROUP, PHI = "full", "phi"

Given = Iterable[str] | Mapping[str, Any]


def export_size(own: FullSettings, given: Given) -> FullSettings:
    """The sizes that an export has: those of its run, and over them what the words say.

    Raises:
        SettingsError: With all problems.
    """
    words = Words(given, defaults={GROUP: own.model_dump()})
    full, problems = _read(words)
    problems += [
        f"{origin}: an export takes {GROUP}.* only."
        for keys, origin in words.origins.items()
        if origin and keys[0] != GROUP
    ]
    if problems:
        raise SettingsError(problems)
    return full


def wanted_size(given: Given) -> FullSettings | None:
    """What words say of a network's size, if they do; words of other groups are for others.

    Raises:
        SettingsError: With all problems.
    """
    words = Words(given)
    full, problems = _read(words)
    if problems:
        raise SettingsError(problems)
    return full if GROUP in words.values else None


def _read(words: Words) -> tuple[FullSettings, list[str]]:
    settings, problems = words.read()
    for keys, origin in words.origins.items():
        if origin and keys[0] == GROUP and keys[-1] not in (*SIZES, PHI):
            known = ", ".join(f"{GROUP}.{key}" for key in (*SIZES, PHI))
            problems.append(f"{origin}: this is no size. Sizes are {known}.")
    return settings.full, problems


def check_size(blueprint: Blueprint, old: Scale, new: Scale, full: FullSettings) -> None:
    """Holds what the settings make of the old size against the network.

    Raises:
        SettingsError: A size is too large, or changes nothing in this network.
        BuildError: The strides leave nothing of the input.
    """
    if new.beyond():
        raise SettingsError(f"The network would have a {' and a '.join(new.beyond())}. Write less.")
    plan_network(blueprint, new)
    problems = [
        f"{GROUP}.{key} changes nothing in this network, whose builder is "
        f"{blueprint.network['builder']}. Leave it out."
        for key in SIZES
        if getattr(full, key) is not None and _is_idle(key, blueprint, old, new)
    ]
    if problems:
        raise SettingsError(problems)


def _is_idle(key: str, blueprint: Blueprint, old: Scale, new: Scale) -> bool:
    """True if a size is another one, and the network is the same without that."""
    before: Any = getattr(old, key)
    if before == getattr(new, key):
        return False
    try:
        without = scaled_network(blueprint, replace(new, **{key: before}))
    except BuildError:  # it takes this size for the others to fit
        return False
    return scaled_network(blueprint, new) == without


def changes(old: Scale, new: Scale) -> dict[str, Any]:
    """The sizes of the new scale that are not those of the old one, as plain values."""
    before, after = old.to_dict(), new.to_dict()
    return {key: after[key] for key in after if key != "name" and after[key] != before[key]}


def of_the_search(scales: Mapping[str, str]) -> dict[str, str]:
    """What measures of a search describe, said of a network that was enlarged since."""
    return {
        name: scale if "search" in scale else scale.replace("full", "full, in the search's size")
        for name, scale in scales.items()
    }


def enlarged(
    folder: ModelFolder, recipe: Recipe, full: FullSettings
) -> tuple[Recipe, dict[str, Any]]:
    """Recipe and facts of a folder's design at another size; steps of compression come anew.

    Raises:
        ExportError: The folder does not say what it is built from, or model.py is another network.
        SettingsError: A size cannot be, or changes nothing.
        BuildError: The strides leave nothing of the input.
    """
    facts = folder.mapping(FACTS)
    if SIZE not in facts or not folder.is_as_written(SOURCE):
        raise ExportError(
            f"{folder.path / FACTS} does not say at which size model.py is built, or model.py was "
            "changed since, so the network cannot be enlarged here. Export the design again, with "
            "the same words."
        )
    blueprint = Blueprint.from_dict(folder.mapping(BLUEPRINT))
    old = Scale.from_dict(facts[SIZE])
    new = resized(old, full)
    check_size(blueprint, old, new, full)
    kept = {key: value for key, value in facts.items() if key != COMPRESSED}
    section = scaled_network(blueprint, new)
    scales = of_the_search(facts["scales"])
    return _enlarged_recipe(recipe, old, new), kept | {
        SECTION: section,
        SIZE: new.to_dict(),
        "scales": scales,
    }


def _enlarged_recipe(recipe: Recipe, old: Scale, new: Scale) -> Recipe:
    origin = recipe.origin
    sizes = {**origin.enlarged, **changes(old, new)}
    times = new.resolution_px / old.resolution_px
    return recipe.model_copy(
        update={
            "origin": origin.model_copy(update={"enlarged": sizes}),
            "input": recipe.input.model_copy(update={"resolution_px": new.resolution_px}),
            "training": task_of(recipe.problem).enlarged(recipe.training, times),
        }
    )
