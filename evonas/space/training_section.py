"""Whether training and compression sections of a space say what these can be told."""

from evonas.errors import SettingsError, SpaceError
from evonas.settings import TrainingSettings, validate
from evonas.space.compression_section import compression_problems
from evonas.space.document import told_once
from evonas.space.search_space import SearchSpace

# How a training runs, not what it gives. So does `log`, which no space can say: it would be a gene.
OF_THE_RUN = ("compile", "cuda_graphs", "keep", "flip_test")


def check_recipe(space: SearchSpace) -> None:
    """Every allele of a gene of training or compression is a value that the setting takes.

    What says how a training runs belongs to the run, and is refused.

    Raises:
        SpaceError: With all problems, each with its place in the file.
    """
    problems = []
    for key in space.template["training"]:
        place = space.place(("training", key))
        if key in OF_THE_RUN:
            problems.append(
                f"{place}: how a training runs is a setting of the run and not of a design. Leave "
                f"it out here; a search takes it as training.{key}=VALUE."
            )
            continue
        genes = [gene for gene in space.genes if gene.key_path == ("training", key)]
        values = genes[0].extremes if genes else [space.template["training"][key]]
        for value in values:
            try:
                validate(TrainingSettings, {key: value}, place)
            except SettingsError as error:
                problems += error.problems
    problems += compression_problems(space)
    if problems:
        raise SpaceError(told_once(dict.fromkeys(problems)))
