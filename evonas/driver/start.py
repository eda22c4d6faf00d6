"""The first designs of a search: published networks, or the recipe that is to be improved."""

from dataclasses import replace

from evonas.errors import EvonasError, SettingsError
from evonas.presets import preset
from evonas.settings import Settings
from evonas.space.search_space import SearchSpace
from evonas.trial import Chromosome


def start_chromosomes(settings: Settings, space: SearchSpace) -> tuple[Chromosome, ...]:
    """The designs that `evolver.start` names, each once.

    A published network says nothing of training: genes of the recipe begin with the run's own
    settings where those are among their alleles. Where only the recipe is searched, and nothing
    is named, that recipe is the first design.

    Raises:
        SettingsError: With all names that are unknown, or that the space cannot express.
    """
    recipe = space.decode(_usual_numbers(settings, space))
    chromosomes, problems = [], []
    if not settings.evolver.start and _searches_recipe_alone(space):
        return (space.encode(recipe),)
    for name in settings.evolver.start:
        try:
            network = preset(name).blueprint.network
            chromosomes.append(space.encode(replace(recipe, network=network)))
        except EvonasError as error:
            problems += [f"evolver.start: {problem}" for problem in error.problems]
        except ValueError as problem:
            problems.append(f"evolver.start: {space.name} cannot express {name}: {problem}.")
    if problems:
        raise SettingsError(problems)
    return tuple(dict.fromkeys(chromosomes))


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
