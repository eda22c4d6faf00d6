"""Which operators, engine and space do not go together, found before a run starts."""

from collections.abc import Iterator

from evonas.evolution import operators
from evonas.settings import EvolverSettings
from evonas.space.search_space import SearchSpace


def check_operators(
    settings: EvolverSettings, objectives: int, space: SearchSpace | None = None
) -> list[str]:
    """What is wrong with the operators that the settings name, in the words of a SettingsError."""
    problems = [*_wrong_selection(settings, objectives), *_wrong_variation(settings)]
    if settings.engine == "pygad_run" and settings.name == "pygad":
        problems += _wrong_run(settings, objectives)
    if space is not None:
        problems += _wrong_for_space(settings, space)
    return problems


def _wrong_selection(settings: EvolverSettings, objectives: int) -> Iterator[str]:
    if settings.selection in operators.NSGA3 and objectives == 1:
        yield (
            f"evolver.selection={settings.selection}: there is one objective, and reference points "
            f"need several. Write evolver.selection=tournament, or name a second objective."
        )
    elif settings.selection in operators.NSGA3:
        divisions = operators.nsga3_divisions(settings, objectives)
        points = operators.reference_points(objectives, divisions)
        if points > settings.population:
            yield (
                f"evolver.selection={settings.selection}: {divisions} divisions of {objectives} "
                f"objectives make {points} reference points, more than the population of "
                f"{settings.population}. Write evolver.population={points} or more"
                + (", or fewer evolver.nsga3_divisions." if divisions > 1 else ".")
            )
    elif settings.nsga3_divisions is not None:
        yield (
            f"evolver.nsga3_divisions={settings.nsga3_divisions} has no effect on "
            f"evolver.selection={settings.selection}. Write evolver.selection=nsga3 or "
            f"tournament_nsga3."
        )


def _wrong_variation(settings: EvolverSettings) -> Iterator[str]:
    by_number = settings.mutation_probability is None
    if settings.crossover == "none" and settings.mutation == "none":
        yield (
            "evolver.crossover=none and evolver.mutation=none: children would be copies. "
            "Leave one of them out."
        )
    if settings.crossover == "sbx" and settings.block_crossover:
        yield (
            "evolver.block_crossover=true: sbx blends gene by gene and inherits no block whole. "
            "Write evolver.crossover=uniform, single_point, two_points or scattered."
        )
    if settings.mutation in operators.PERMUTATIONS and by_number and settings.mutation_genes < 2:
        yield (
            f"evolver.mutation={settings.mutation} moves alleles between genes: with "
            f"evolver.mutation_genes={settings.mutation_genes} it would do nothing. "
            f"Write evolver.mutation_genes=2 or more."
        )
    if settings.mutation == "adaptive" and not by_number:
        yield (
            "evolver.mutation=adaptive counts genes: leave evolver.mutation_probability out and "
            "set evolver.mutation_genes and evolver.mutation_genes_bad."
        )
    if settings.mutation == "adaptive" and settings.mutation_genes_bad < settings.mutation_genes:
        yield (
            f"evolver.mutation_genes_bad={settings.mutation_genes_bad} is less than "
            f"evolver.mutation_genes={settings.mutation_genes}, and children of bad parents are "
            f"to change more. Write evolver.mutation_genes_bad={settings.mutation_genes} or more."
        )


def _wrong_run(settings: EvolverSettings, objectives: int) -> list[str]:
    engine = "with evolver.engine=pygad_run"
    parents, started = operators.mating(settings), len(settings.start)
    wrong = {
        f"evolver.selection={settings.selection} needs several objectives {engine}. Write "
        f"evolver.selection=tournament.": settings.selection in operators.NSGA and objectives == 1,
        f"evolver.mutation=adaptive cannot be had {engine}: PyGAD would evaluate children twice. "
        f"Write evolver.mutation=random, or leave the engine out.": settings.mutation == "adaptive",
        f"evolver.block_crossover=true cannot be had {engine}: PyGAD knows no blocks. Leave one of "
        f"them out.": settings.block_crossover,
        f"evolver.keep_elitism={settings.keep_elitism} leaves no room for children in a population "
        f"of {settings.population}. Write at most {settings.population - 1}.": (
            settings.keep_elitism >= settings.population
        ),
        f"evolver.keep_parents={settings.keep_parents} has no effect beside "
        f"evolver.keep_elitism={settings.keep_elitism}. Write evolver.keep_elitism=0.": (
            settings.keep_parents != -1 and settings.keep_elitism > 0
        ),
        f"evolver.keep_parents={settings.keep_parents} is more than the {parents} parents, which "
        f"are half the population. Write at most {parents}.": settings.keep_parents > parents,
        f"evolver.crossover=none cannot be had {engine} and evolver.keep_parents=-1: PyGAD "
        f"mutates the parents that it keeps. Write evolver.keep_parents=0.": (
            settings.crossover == "none"
            and (settings.keep_elitism, settings.keep_parents) == (0, -1)
        ),
        f"evolver.start names {started} designs, more than the population of "
        f"{settings.population} {engine}. Write evolver.population={started} or more.": (
            started > settings.population
        ),
    }
    return [problem for problem, is_so in wrong.items() if is_so]


def _wrong_for_space(settings: EvolverSettings, space: SearchSpace) -> Iterator[str]:
    ordered = [gene for gene in space.genes if not operators.is_categorical(gene) and gene.size > 1]
    spaces = [str(gene.pygad_space()) for gene in space.genes if gene.size > 1]
    for key, operator in (("crossover", settings.crossover), ("mutation", settings.mutation)):
        if operator in ("sbx", "polynomial") and not ordered:
            instead = "uniform" if key == "crossover" else "random"
            yield (
                f"evolver.{key}={operator}: no gene of {space.name} has an order, so there is no "
                f"number between two alleles. Write evolver.{key}={instead}."
            )
    if settings.mutation in operators.PERMUTATIONS and len(set(spaces)) == len(spaces):
        yield (
            f"evolver.mutation={settings.mutation}: no two genes of {space.name} have the same "
            f"alleles, so there is nothing to move between them. Write evolver.mutation=random."
        )
