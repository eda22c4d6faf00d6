"""Whether space, data and settings of a search are for the same task, found before it begins."""

from collections.abc import Iterable, Iterator

from evonas.data.dataset import Dataset
from evonas.data.readers import DATA_SETS
from evonas.errors import DataError, SettingsError
from evonas.evaluation.measures import MEASURES, before
from evonas.evaluation.objectives import Objective, taken_measures
from evonas.networks import GRAMMARS
from evonas.settings import Settings
from evonas.space.document import SpaceDocument
from evonas.tasks import TASKS, foreign, foreign_settings, task_of


def learnt_by(document: SpaceDocument) -> str | None:
    """The task that the networks of a space learn; None: it has none, or none that is known."""
    network = document.values.get("network")
    grammar = GRAMMARS.get(str(network.get("builder"))) if isinstance(network, dict) else None
    return grammar.task if grammar else None


def check_kind(settings: Settings, document: SpaceDocument) -> Iterator[str]:
    """What in space and settings is not for the task of the data, in words."""
    known = DATA_SETS.get(settings.data.name)
    if known is None or not settings.evaluator.trains:
        return
    learnt = learnt_by(document)
    if learnt not in (None, TASKS[known.task].networks):
        sets = ", ".join(
            name for name, other in DATA_SETS.items() if TASKS[other.task].networks == learnt
        )
        yield (
            f"space={settings.space} is of networks for {learnt}, and data={settings.data.name} is "
            f"for {known.task}. Name data for {learnt} ({sets}), or "
            f"a space for {known.task}, as in space={TASKS[known.task].space}."
        )
        return
    lack = TASKS[known.task].lack()
    if lack is not None:
        yield lack
    yield from foreign(settings.training, known.task)
    genes = document.values.get("training") or {}
    for key, why in foreign_settings(known.task).items():
        if key in genes:
            yield f"{document.place(('training', key))}: {key} {why}"


def check_task(settings: Settings, objectives: Iterable[Objective], data: Dataset) -> None:
    """Raises a SettingsError or DataError if the data's task cannot give what is asked for."""
    problem = data.problem
    task = task_of(problem)
    wrong = [text for part in data.parts for text in task.wrong(part.targets, problem)]
    if wrong:
        raise DataError(list(dict.fromkeys(wrong)))
    uninformative = task.uninformative(problem)
    of_others = {name for other in TASKS.values() for name in other.measures} - {*task.measures}
    of_others |= {before(other) for other in TASKS.values()} - {before(task)}
    of_others |= {name for name, own in MEASURES.items() if own.task not in ("", problem.task)}
    problems = []
    for name in taken_measures(settings, objectives):
        if name in of_others:
            problems.append(
                f"data={settings.data.name} is for {problem.task}, which has no {name}. Its "
                f"measures: {', '.join(task.measures)}."
            )
        elif name in uninformative:
            problems.append(uninformative[name])
    if problems:
        raise SettingsError(problems)
    if settings.data.class_weights == "balanced":
        task.class_weights(data.train.targets, problem)
