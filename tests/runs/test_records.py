"""What follows from the records: who is on the front, what is kept, where hypervolume starts."""

from evonas.blueprint import Blueprint
from evonas.driver.parents import Inheritance
from evonas.evaluation.objectives import parse_objective
from evonas.runs.records import Records
from evonas.settings import TrainingSettings
from evonas.space import load_space
from evonas.trial import Outcome, Trial

TWO = (parse_objective("accuracy"), parse_objective("macs"))


def records_of(*points: tuple[float, float] | None, order: tuple[int, ...] = ()) -> Records:
    """Complete trials with these measures; None: a failed one."""
    records = Records(TWO, {})
    for number in range(len(points)):
        records.add_trial(Trial(number, (float(number),), Blueprint({}), seed=0), 0)
    for number in order or range(len(points)):
        point = points[number]
        if point is None:
            records.add_outcome(Outcome(number, "failed", error_kind="error"))
        else:
            measures = {"accuracy": point[0], "macs": point[1]}
            records.add_outcome(Outcome(number, "complete", measures))
    return records


def test_without_a_complete_trial_there_is_nothing() -> None:
    records = records_of(None, None)
    assert (records.front, records.best, records.knee, records.volume.value) == (
        [],
        None,
        None,
        None,
    )
    assert records.counts()["failed"] == 2


def test_pruned_trials_are_on_no_front_and_their_fitness_is_known() -> None:
    records = records_of((0.8, 10))
    for number, accuracy in ((1, 0.9), (2, 0.95)):
        records.add_trial(Trial(number, (float(number),), Blueprint({}), seed=0), 0)
        measures = {"accuracy": accuracy, "macs": 5.0}
        records.add_outcome(Outcome(number, "pruned", measures))
    assert records.front == records.feasible == [0]
    assert records.pruned == {0: [1, 2]}
    assert records.evaluations == 3
    assert [seen.fitness for seen in records.history().finished][1:] == [(0.9, -5), (0.95, -5)]
    assert records.worth_keeping() == {0}


def test_the_longest_trial_of_a_design_is_the_last_that_came_to_something() -> None:
    records = records_of((0.8, 10))
    chain = [("pruned", 0, None), ("pruned", 1, 1), ("failed", 2, 2)]
    for number, (status, rung, before) in enumerate(chain, start=1):
        trial = Trial(number, (7.0,), Blueprint({}), seed=0, rung=rung, continues=before)
        records.add_trial(trial, 0)
        measures = {"accuracy": 0.5, "macs": 5.0}
        records.add_outcome(Outcome(number, status, measures))  # type: ignore[arg-type]
    assert [records.last_trial_of_design(number) for number in range(4)] == [0, 2, 2, 3]
    assert records.begun == 2
    assert records.counts()["failed"] == 1
    assert records.counts()["pruned"] == 0


def test_a_trial_knew_those_that_had_finished_when_it_was_proposed() -> None:
    records = records_of((0.8, 10), (0.9, 30), (0.7, 20), order=(1, 0, 2))
    records.add_trial(Trial(3, (3.0,), Blueprint({}), seed=0, parents=(0, 1)), 1)
    assert [records.had_finished_before(3, other) for other in range(4)] == [
        False,
        True,
        False,
        False,
    ]
    inheritance = Inheritance(records, TrainingSettings(inherit=True), load_space("nano"))
    assert inheritance.parent(records.trials[3]) == 1, "the other had no weights yet"
    assert inheritance.parent(records.trials[0]) is None
