"""Functions that are told of trials and generations, and what happens if they raise."""

from pathlib import Path
from typing import Any

import pytest

import evonas
from evonas.blueprint import Blueprint
from evonas.runs import Run
from evonas.trial import Outcome, Trial

WORDS = {
    "space": "nano",
    "objectives": ["width:max", "layers:min"],
    "display": "none",
    "evolver": {"population": 4},
    "budget": {"evaluations": 10},
}


def cost(blueprint: Blueprint) -> dict[str, float]:
    stages = blueprint.network["stages"]
    return {
        "width": float(sum(stage["channels"] for stage in stages)),
        "layers": float(sum(stage["layers"] for stage in stages)),
    }


def searched(words: dict[str, Any] | None = None, **callbacks: Any) -> Run:
    settings = {"executor": {"name": "inline"}, **WORDS, **(words or {})}
    return evonas.search(settings, cost, **callbacks)


@pytest.mark.parametrize("schedule", ["async", "generational"])
def test_each_trial_and_each_generation_is_told_once(schedule: str) -> None:
    trials: list[int] = []
    generations: list[tuple[int, int]] = []

    def on_trial(trial: Trial, outcome: Outcome) -> None:
        assert trial.number == outcome.number
        assert outcome.measures
        trials.append(trial.number)

    def on_generation(number: int, run: Run) -> None:
        assert run.front
        generations.append((number, len(run.records.outcomes)))

    run = searched({"schedule": schedule}, on_trial=on_trial, on_generation=on_generation)
    assert sorted(trials) == [trial.number for trial, _ in run.trials()]
    assert generations[:2] == [(0, 4), (1, 8)]


@pytest.mark.parametrize("executor", ["inline", pytest.param("local", marks=pytest.mark.slow)])
def test_what_a_callback_raises_ends_the_search_and_nothing_is_lost(executor: str) -> None:
    class Enough(Exception):
        pass

    def until_four(trial: Trial, outcome: Outcome) -> None:
        told.append(outcome.number)
        if len(told) == 4:
            raise Enough("four will do")

    told: list[int] = []
    words = {"run": {"name": "a"}, "executor": {"name": executor, "workers": 2}}
    with pytest.raises(Enough, match="four will do") as stopped:
        searched(words, on_trial=until_four)
    assert stopped.value.__notes__ == [
        "Nothing that finished is lost. Go on by: evonas resume a",
    ]
    run = evonas.load_run("runs/a")
    assert run.status == "interrupted"
    assert [*run.records.outcomes] == told
    run = evonas.resume(Path("runs/a"), evaluate=cost, on_trial=lambda t, _: told.append(t.number))
    assert run.status == "finished"
    assert sorted(told) == [trial.number for trial, _ in run.trials()]


def test_generations_go_on_counting_where_a_search_goes_on() -> None:
    told: list[int] = []

    def note(number: int, run: Run) -> None:
        told.append(number)

    searched({"run": {"name": "a"}, "budget": {"evaluations": 6}}, on_generation=note)
    words = ["budget.evaluations=+6"]
    evonas.resume(Path("runs/a"), words, evaluate=cost, on_generation=note)
    assert told == [0, 1, 2]


def test_a_search_in_memory_tells_of_its_trials_too() -> None:
    told: list[float] = []
    evonas.optimise(
        lambda values: values["x"],
        {"values": {"x": {"float": [0, 1]}}},
        budget={"evaluations": 5},
        on_trial=lambda _, outcome: told.append(outcome.measures["fitness"]),
    )
    assert len(told) == 5
