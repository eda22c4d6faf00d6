"""Search spaces in figures: genes, number of designs, and how large the designs are."""

import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np

from evonas.blueprint import Blueprint, plan_network
from evonas.errors import BuildError, EvonasError, SettingsError
from evonas.evaluation.measures import MEASURES
from evonas.evaluation.train_evaluator import TrainEvaluator
from evonas.registry import unknown_name
from evonas.settings import Settings, Words
from evonas.space import SearchSpace, known_parts, load_part, load_space
from evonas.space.check import check_space
from evonas.space.gene import Gene
from evonas.space.run_scales import run_scales
from evonas.space.training_section import check_recipe

SAMPLE = 50  # designs that the figures are from: with 100, mobile_cells takes two seconds longer
SAMPLE_SEED = 0
COUNTED = ("parameters", "macs")


def spaces_summary(space: SearchSpace) -> dict[str, Any]:
    """One space in a line; `size` is exact, None if a gene of real numbers makes it infinite."""
    return {
        "name": space.name,
        "title": space.title,
        "genes": len(space.genes),
        "size": _size(space),
    }


def space_summary(
    name: str, words: Iterable[str], listed: int | None = None, designs: int = SAMPLE
) -> dict[str, Any]:
    """One space with its genes and the figures of a random sample.

    Counts are those of images with three channels and ten classes: data are not read. A design
    is feasible if it builds at both scales and keeps the constraints; minimum, median (the lower
    of the middle two) and maximum are over all designs that build. `size` is as in
    `spaces_summary`.

    Args:
        name: Anything that `space=` takes, or what is joined to a space.
        words: Settings; those that matter are constraints, full, measure and run.seed.
        listed: How many designs to draw by run.seed and list; None for no list.
        designs: How many to count for the sample, which is the same for every seed.

    Raises:
        SettingsError: With all problems of words and space at once.
        BuildError: No design of the sample can be built.
    """
    space, settings = _checked(name, words)
    evaluator = _evaluator(space, settings) if space.has_network else None
    scales = (evaluator.proxy, evaluator.full) if evaluator else ()
    summary = {
        "name": space.name,
        "title": space.title,
        "source": space.source or None,
        "size": _size(space),
        "genes": [_gene(gene) for gene in space.genes],
        "scales": {scale.name: scale.to_dict() for scale in scales},
        "sample": _sample(space, evaluator, designs) if evaluator else None,
    }
    if listed is not None:
        rng = np.random.default_rng(settings.run.seed)
        drawn = (space.sample(rng) for _ in range(listed))
        summary["designs"] = [_design(space, evaluator, chromosome) for chromosome in drawn]
    return summary


def _checked(name: str, given: Iterable[str]) -> tuple[SearchSpace, Settings]:
    if "=" in name and "/" not in name:
        raise SettingsError(f"{name}: name a space first, as in evonas spaces nano run.seed=7.")
    given = list(given)
    settings, problems = Words(given).read()
    problems += [
        *(f"{w}: the space is named already, {name}." for w in given if w.startswith("space=")),
        *_unjudged(settings),
    ]
    try:
        space = load_part(name) if name in known_parts() else load_space(name)
        if space.has_network:
            check_space(space, run_scales(space, settings, None))
        check_recipe(space)
        problems += [
            f"constraints.{constraint}: {space.name} has values and no networks to count."
            for constraint in (() if space.has_network else settings.constraints)
        ]
    except EvonasError as error:
        problems += error.problems
    if problems:
        raise SettingsError(problems)
    return space, settings


def _unjudged(settings: Settings) -> Iterator[str]:
    """What is wrong with the measures that settings name: unknown, or known by a search only."""
    counted = sorted(name for name, known in MEASURES.items() if known.cost == "count")
    for name in dict.fromkeys([*settings.constraints, *settings.budget.target]):
        if name not in MEASURES:
            yield unknown_name(MEASURES, name, "measure")
        elif name in settings.constraints and name not in counted:
            yield (
                f"constraints.{name}: {name} is known only from a search. "
                f"A space can be held against {', '.join(counted)}."
            )


def _evaluator(space: SearchSpace, settings: Settings) -> TrainEvaluator:
    """The evaluator of a search, to count and to judge with: it gets no folder and no clock."""
    proxy, full = run_scales(space, settings, None)
    return TrainEvaluator(settings, (), proxy, full, Path(), math.nan)


def _counted(evaluator: TrainEvaluator, blueprint: Blueprint) -> Mapping[str, float]:
    """The counted measures of a design.

    Raises:
        BuildError: It cannot be built at both scales.
    """
    for scale in (evaluator.proxy, evaluator.full):
        plan_network(blueprint, scale)
    return evaluator.count(blueprint)


def _sample(space: SearchSpace, evaluator: TrainEvaluator, designs: int) -> dict[str, Any]:
    rng = np.random.default_rng(SAMPLE_SEED)
    found: list[Mapping[str, float]] = []
    problem = ""
    for _ in range(designs):
        try:
            found.append(_counted(evaluator, space.decode(space.sample(rng))))
        except BuildError as error:
            problem = str(error)
    if not found:
        raise BuildError(f"None of {designs} designs of {space.name} can be built. {problem}")
    feasible = sum(evaluator.infeasible(0, measures) is None for measures in found)
    return {
        "designs": designs,
        "feasible_share": feasible / designs,
        **{name: _spread([int(measures[name]) for measures in found]) for name in COUNTED},
        "scale": evaluator.settings.measure.scale,
    }


def _spread(values: list[int]) -> dict[str, int]:
    return {"min": min(values), "median": median_low(values), "max": max(values)}


def _design(
    space: SearchSpace, evaluator: TrainEvaluator | None, chromosome: tuple[float, ...]
) -> dict[str, Any]:
    """One design by its active genes; what cannot be built has no counts."""
    blueprint = space.decode(chromosome)
    try:
        measures = _counted(evaluator, blueprint) if evaluator else {}
    except BuildError:
        measures = {}
    return {
        "genes": space.alleles(chromosome),
        **{name: int(measures[name]) if measures else None for name in COUNTED},
        "fingerprint": blueprint.fingerprint,
    }


def _gene(gene: Gene) -> dict[str, Any]:
    when = {other: list(wanted) for other, wanted in gene.when}
    return {"name": gene.name, **gene.describe(), "when": when or None}


def _size(space: SearchSpace) -> int | None:
    return None if space.size == math.inf else int(space.size)
