"""The last part of a search: who is trained again, how often, and that nothing else changes."""

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from evonas.blueprint import Blueprint
from evonas.driver import confirm, resume, search
from evonas.driver.confirmation import finalists
from evonas.errors import RunError, SettingsError
from evonas.reports.summary import run_summary
from evonas.reports.tables import print_run
from evonas.runs import Run

WORDS: dict[str, Any] = {
    "space": "nano",
    "objectives": ["score:max"],
    "executor": {"name": "inline"},
    "display": "none",
    "budget": {"evaluations": 26},
    "confirm": {"top": 3, "seeds": 2},
}


class Noisy:
    """A score that is better by chance each second time; stops where it is told to."""

    def __init__(self, *stops: int) -> None:
        self.calls = 0
        self.stops = set(stops)

    def __call__(self, blueprint: Blueprint) -> float:
        self.calls += 1
        if self.calls in self.stops:
            self.stops.remove(self.calls)
            self.calls -= 1
            raise KeyboardInterrupt
        stages = blueprint.network["stages"]
        return float(sum(stage["channels"] for stage in stages) + 5 * (self.calls % 2))


def confirmations(run: Run) -> list[int | None]:
    return [trial.confirms for trial, _ in run.trials() if trial.confirms is not None]


def test_the_search_leaves_evaluations_and_finalists_take_turns() -> None:
    run = search(WORDS, Noisy())
    records = run.records
    assert (records.evaluations, records.begun) == (26, 20)
    first = confirmations(run)[:3]
    assert confirmations(run) == [*first, *first]
    assert first[0] == records.observed_front[0]
    assert len(set(first)) == 3
    assert [confirmed.count for confirmed in records.confirmed.values()] == [2, 2, 2]
    assert set(records.front) <= set(records.confirmed)
    assert run.facts["ended"] == "evaluations"
    again = [trial for trial, _ in run.trials() if trial.confirms is not None]
    assert {trial.operator for trial in again} == {"confirmation"}
    assert len({trial.seed for trial in again}) == 6, "each has a seed of its own"


def test_what_is_searched_does_not_depend_on_what_is_confirmed() -> None:
    run = search(WORDS, Noisy())
    plain = search({**WORDS, "budget": {"evaluations": 20}, "confirm": {"top": 0}}, Noisy())
    designs = [trial for trial, _ in run.trials() if trial.confirms is None]
    assert designs == [trial for trial, _ in plain.trials()]
    assert finalists(run.records, run.space, 3) == finalists(plain.records, run.space, 3)


@pytest.mark.parametrize("schedule", ["async", "generational"])
def test_a_confirmation_that_was_stopped_goes_on_where_it_stopped(schedule: str) -> None:
    words = {**WORDS, "schedule": schedule, "evolver": {"population": 8}}
    whole = search(words, Noisy())
    stopped = Noisy(23, 26)  # in the midst of the second and of the fourth confirmation
    with pytest.raises(KeyboardInterrupt):
        search({**words, "run": {"name": "parts"}}, stopped)
    with pytest.raises(KeyboardInterrupt):
        resume(Path("runs/parts"), (), stopped)
    parts = resume(Path("runs/parts"), (), stopped)
    assert confirmations(parts) == confirmations(whole)
    assert [trial for trial, _ in parts.trials()] == [trial for trial, _ in whole.trials()]


@pytest.mark.parametrize("schedule", ["async", "generational"])
def test_a_search_that_goes_on_afterwards_proposes_designs_and_confirms_again(
    schedule: str,
) -> None:
    words = {**WORDS, "schedule": schedule, "evolver": {"population": 8}, "run": {"name": "more"}}
    search(words, Noisy())
    run = resume(Path("runs/more"), ["budget.evaluations=+10"], Noisy())
    assert run.records.begun == 24, "36 evaluations less 6 that were spent and 6 that are reserved"
    assert {run.records.confirmed[n].count for n in finalists(run.records, run.space, 3)} == {2}
    chromosomes = [trial.chromosome for trial, _ in run.trials() if trial.confirms is None]
    assert len(chromosomes) == len(set(chromosomes))


def test_the_summary_tells_what_was_confirmed_and_shows_means_on_the_front() -> None:
    run = search(WORDS, Noisy())
    summary = run_summary(run)
    assert [own["number"] for own in summary["confirmed"]] == confirmations(run)[:3]
    assert all(own["count"] == 2 for own in summary["confirmed"])
    best = summary["best"]
    assert best["measures"] == run.records.confirmed[best["number"]].means
    with StringIO() as told:
        print_run(summary, Console(file=told, width=160))
        assert "Trained again" in told.getvalue()


def test_a_run_is_confirmed_beyond_its_budget_and_again_by_more() -> None:
    words = {**WORDS, "budget": {"evaluations": 12, "seconds": 1e6}, "confirm": {"top": 0}}
    search({**words, "run": {"name": "later"}}, Noisy())
    run = confirm("runs/later", evaluate=Noisy(), top=2, seeds=1)
    assert [own.count for own in run.records.confirmed.values()] == [1, 1]
    more = confirm("runs/later", evaluate=Noisy(), top=3, seeds=2)
    assert [own.count for own in more.records.confirmed.values()] == [2, 2, 2]
    assert more.records.begun == run.records.begun == 12


def test_nothing_is_confirmed_where_no_design_keeps_the_constraints() -> None:
    words = {**WORDS, "budget": {"evaluations": 5}, "confirm": {"top": 0}}
    search({**words, "constraints": {"parameters": {"max": 1}}, "run": {"name": "none"}}, Noisy())
    with pytest.raises(RunError, match="has no complete design that keeps its constraints"):
        confirm("runs/none", evaluate=Noisy())


def test_a_last_part_that_leaves_nothing_for_the_search_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"takes 6 of budget\.evaluations=6, and leaves none"):
        search({**WORDS, "budget": {"evaluations": 6}}, Noisy())


def test_a_confirmation_is_no_design_of_a_generation() -> None:
    told: list[int] = []
    words = {**WORDS, "evolver": {"population": 5}}
    search(words, Noisy(), on_generation=lambda generation, _: told.append(generation))
    assert told == [0, 1, 2, 3], "of 20 designs, whatever is trained again"
