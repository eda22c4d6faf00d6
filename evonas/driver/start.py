"""The first designs of a search: published ones, those of runs and models, or the recipe."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evonas.blueprint import Blueprint
from evonas.errors import EvonasError, RunError, SettingsError
from evonas.exporters.file_names import BLUEPRINT
from evonas.model_folder.model_folder import ModelFolder
from evonas.presets import preset, presets
from evonas.runs.run import load_run
from evonas.runs.run_folder import find_run
from evonas.settings import Settings
from evonas.space.gene import Gene
from evonas.space.search_space import MISSING, SearchSpace, value_at
from evonas.trial import Chromosome

RUN = "run:"  # in front of the name of a run whose front begins
RECIPE = ("training", "compression")  # sections of a space beside its networks and values
SHOWN = 3  # designs of a run that a message spells out


@dataclass(frozen=True)
class Start:
    """The designs that a search begins with, each once, and what there is to tell of them."""

    designs: tuple[Chromosome, ...] = ()
    told: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain values: what a run notes, since other runs and folders may change meanwhile."""
        return {"designs": [list(design) for design in self.designs], "told": list(self.told)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Start":
        """The inverse of `to_dict`."""
        return cls(tuple(map(tuple, values["designs"])), tuple(values["told"]))


def start_of(settings: Settings, space: SearchSpace) -> Start:
    """The designs that `evolver.start` names.

    A word is the name of a published network, `run:` and the name of a run, whose front begins,
    the confirmed designs first, or a model folder. Of a run those designs begin that the space can
    express; it is told which ones it cannot.

    A published network says nothing of training: genes of the recipe begin with the run's own
    settings where those are among their alleles. Genes of the recipe and of compression that other
    designs bring along have their alleles. Where only the recipe is searched, and nothing is named,
    that recipe is the first design.

    Raises:
        SettingsError: With all words that name nothing, or nothing that the space can express.
    """
    if not settings.evolver.start and _searches_recipe_alone(space):
        return Start((space.encode(space.decode(_usual_numbers(settings, space))),))
    designs, told, problems = list[Chromosome](), list[str](), list[str]()
    for word in settings.evolver.start:
        try:
            found = _found(word, settings, space)
            designs += found.designs
            told += found.told
        except EvonasError as error:
            problems += [f"evolver.start: {problem}" for problem in error.problems]
    if problems:
        raise SettingsError(problems)
    return Start(tuple(dict.fromkeys(designs)), tuple(told))


def _found(word: str, settings: Settings, space: SearchSpace) -> Start:
    """What one word names.

    Raises:
        EvonasError: Nothing that the space can express.
    """
    if word.startswith(RUN):
        return _of_run(word.removeprefix(RUN), settings, space)
    if word not in presets() and ("/" in word or Path(word).is_dir()):
        design, name = _of_folder(Path(word)), f"the design of {word}"
    else:
        design, name = Blueprint(preset(word).blueprint.network), word
    try:
        return Start((_expressed(design, settings, space),))
    except ValueError as problem:
        raise SettingsError(_refusal(space, name, problem)) from None


def _of_folder(path: Path) -> Blueprint:
    folder = ModelFolder.open(path, (BLUEPRINT,))
    try:
        return Blueprint.from_dict(folder.mapping(BLUEPRINT))
    except ValueError as problem:
        raise SettingsError(f"{path / BLUEPRINT}: {problem}.") from None


def _of_run(name: str, settings: Settings, space: SearchSpace) -> Start:
    """The front of a run, as far as the space can express it."""
    run = load_run(find_run(name, settings.run.folder))
    designs, refusals = list[Chromosome](), list[str]()
    for number in dict.fromkeys([*run.records.front, *run.records.observed_front]):
        design = run.records.trials[number].blueprint
        try:
            designs.append(_expressed(design, settings, space))
        except ValueError as problem:
            refusals.append(_refusal(space, f"trial {number} of run {run.name}", problem))
    if not designs and not refusals:
        raise RunError(f"Run {run.name} has no complete design yet, so nothing can begin with it.")
    more = len(refusals) - SHOWN
    shown = [*refusals[:SHOWN], *([f"So it is with {more} more of them."] if more > 0 else [])]
    if not designs:
        raise SettingsError(shown)
    several = f"{len(designs)} designs" if len(designs) > 1 else "1 design"
    return Start(tuple(designs), (f"The search begins with {several} of run {run.name}.", *shown))


def _refusal(space: SearchSpace, name: str, problem: ValueError) -> str:
    return f"{space.name} cannot express {name}: {problem}."


def _expressed(design: Blueprint, settings: Settings, space: SearchSpace) -> Chromosome:
    """The chromosome of a design.

    What only the design's own space decides beside the network is left out: here a setting does.

    Raises:
        ValueError: A gene has no such allele, or the space fixes what the design has otherwise.
    """
    recipe = space.decode(_numbers(design, settings, space))
    values = design.values or recipe.values
    return space.encode(replace(recipe, network=design.network, values=values))


def _numbers(design: Blueprint, settings: Settings, space: SearchSpace) -> Chromosome:
    """The usual numbers, and the design's own of genes of its recipe and its compression."""
    alleles, usual = design.to_dict(), _usual_numbers(settings, space)
    return tuple(
        _number(gene, value_at(alleles, gene.key_path), number)
        for gene, number in zip(space.genes, usual, strict=True)
    )


def _number(gene: Gene, allele: Any, usual: float) -> float:
    if allele is MISSING or gene.key_path[0] not in RECIPE:
        return usual
    try:
        return gene.number(allele)
    except ValueError as problem:
        raise ValueError(f"{gene.name}: {problem}") from None


def _searches_recipe_alone(space: SearchSpace) -> bool:
    return bool(space.genes) and all(gene.key_path[0] == "training" for gene in space.genes)


def _usual_numbers(settings: Settings, space: SearchSpace) -> Chromosome:
    training = settings.training.model_dump()
    numbers = []
    for gene in space.genes:
        section, key = gene.key_path[0], str(gene.key_path[-1])
        try:
            numbers.append(gene.number(training[key] if section == "training" else None))
        except (KeyError, ValueError):
            numbers.append(gene.default_number)
    return tuple(numbers)
