"""Successive halving: who is promoted and when, what it counts, and what the evolver sees of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evonas.blueprint import Blueprint
from evonas.driver import _work, search
from evonas.driver.preparation import Setup
from evonas.driver.rungs import MOST_CHECKPOINTS, ExtrapolatedHistory, Rungs, extrapolated
from evonas.driver.user_callbacks import Callbacks
from evonas.errors import SettingsError, TrialFailure
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.objectives import parse_objective
from evonas.evolution import evolver_class
from evonas.runs import Run
from evonas.runs.ledger import Ledger
from evonas.runs.records import COUNTED, Records
from evonas.settings import FidelitySettings, Limits, Settings
from evonas.space import load_space
from evonas.trial import Assignment, Finished, History, Outcome, Trial

ONE = (parse_objective("accuracy"),)
TWO = (parse_objective("accuracy"), parse_objective("macs"))
THREE_RUNGS = FidelitySettings(rungs=(1, 3, 9), reduction=3)


class Halving:
    """Records that are filled by hand, and the rungs over them."""

    def __init__(self, objectives: Sequence[Any] = ONE, **constraints: Limits) -> None:
        self.records = Records(objectives, constraints)
        self.rungs = Rungs(self.records, THREE_RUNGS)

    def add(
        self, accuracy: float | None, macs: float = 1.0, source: int | None = None
    ) -> "Halving":
        """A new design on rung 0; None: it failed."""
        number = self.records.next_number
        self.records.add_trial(Trial(number, (float(number),), Blueprint({}), seed=number), 0)
        return self.finish(number, accuracy, macs, source)

    def promote(
        self, number: int, accuracy: float | None, macs: float = 1.0, source: int | None = None
    ) -> "Halving":
        trial = self.rungs.promotion(number)
        self.records.add_trial(trial, len(self.records.outcomes))
        return self.finish(trial.number, accuracy, macs, source)

    def finish(
        self, number: int, accuracy: float | None, macs: float, source: int | None = None
    ) -> "Halving":
        if accuracy is None:
            outcome = Outcome(number, "failed", error_kind="error", source=source)
        else:
            measures = {"accuracy": accuracy, "macs": macs}
            outcome = Outcome(number, "complete", measures, source=source)
        self.records.add_outcome(self.rungs.as_pruned_below_top(outcome))
        return self


def filled(*accuracies: float | None) -> Halving:
    halving = Halving()
    for accuracy in accuracies:
        halving.add(accuracy)
    return halving


@pytest.mark.parametrize(
    ("accuracies", "promoted"),
    [
        ((0.5, 0.7), None),
        ((0.5, 0.7, 0.6), 1),
        ((0.5, 0.7, 0.7), 1),  # of equals the first
        ((0.5, 0.7, None), None),  # what failed is no part of a rung
        ((0.5, 0.7, None, 0.1), 1),
    ],
)
def test_one_design_in_three_is_promoted_best_first(
    accuracies: tuple[float | None, ...], promoted: int | None
) -> None:
    assert filled(*accuracies).rungs.promotable() == promoted


def test_no_more_than_a_third_goes_on_where_each_design_is_better_than_the_last() -> None:
    halving = Halving()
    for design in range(27):
        halving.add(0.5 + 0.01 * design)
        while (source := halving.rungs.promotable()) is not None:
            halving.promote(source, halving.records.outcomes[source].measures["accuracy"])
    rungs = [trial.rung for trial in halving.records.trials.values()]
    assert [rungs.count(rung) for rung in range(3)] == [27, 9, 3]


def test_a_shared_training_counts_once_and_all_who_share_it_follow_when_it_has_gone_on() -> None:
    halving = filled(0.5, 0.7).add(0.7, source=1)
    assert halving.rungs.promotable() is None  # two trainings, of three trials
    halving.add(0.6)
    assert halving.rungs.promotable() == 1
    trial = halving.rungs.promotion(1)
    halving.records.add_trial(trial, len(halving.records.outcomes))
    assert halving.rungs.promotable() is None  # the third would wait for the second
    halving.finish(trial.number, 0.8, 1.0)
    assert halving.rungs.promotable() == 2
    halving.promote(2, 0.8, source=trial.number)
    assert halving.rungs.promotable() is None
    for accuracy in (0.1, 0.65, 0.2):
        halving.add(accuracy)
    assert halving.rungs.promotable() == 7  # the one that followed took nobody's place


def test_higher_rungs_come_first() -> None:
    halving = filled(*(0.1 * number for number in range(9)))
    for source, accuracy in ((8, 0.90), (7, 0.95), (6, 0.85)):
        assert halving.rungs.promotable() == source
        halving.promote(source, accuracy)
    for accuracy in (0.91, 0.92, 0.93):  # one more of rung 0 is due, but rung 1 is higher
        halving.add(accuracy)
    assert halving.rungs.promotable() == 10
    halving.promote(10, 0.97)
    trial = halving.records.trials[15]
    assert (trial.rung, trial.continues, trial.operator, trial.seed) == (2, 10, "promotion", 7)
    assert halving.records.outcomes[15].status == "complete"
    assert halving.rungs.promotable() == 14
    assert halving.records.front == [15]


def test_of_several_objectives_rank_and_then_crowding_decide() -> None:
    halving = Halving(TWO)
    for accuracy, macs in ((0.5, 50), (0.6, 60), (0.7, 61), (0.9, 90), (0.4, 70), (0.3, 80)):
        halving.add(accuracy, macs)
    assert halving.rungs.promotable() == 0  # both ends of the front are infinitely far
    halving.promote(0, 0.55, 50)
    assert halving.rungs.promotable() == 3
    halving.promote(3, 0.95, 90)
    assert halving.rungs.promotable() is None
    for _ in range(3):
        halving.add(0.1, 99)
    assert halving.rungs.promotable() == 2  # its neighbours are farther apart than those of 1


def test_a_short_training_need_not_keep_limits_on_trained_measures() -> None:
    halving = Halving(TWO, accuracy=Limits(min=0.9), macs=Limits(max=50))
    for accuracy, macs in ((0.5, 40), (0.6, 40), (0.7, 60), (0.4, 40)):
        halving.add(accuracy, macs)
    assert halving.records.pruned == {0: [0, 1, 3]}
    assert halving.rungs.promotable() in (0, 1)
    halving.promote(1, 0.8, 40).promote(4, 0.85, 40)
    assert halving.records.outcomes[5].status == "complete"
    assert halving.records.front == []
    halving.promote(0, 0.8, 40).promote(6, 0.91, 40)
    assert halving.records.front == [7]


def test_a_design_counts_once_and_a_promotion_is_no_evaluation() -> None:
    halving = filled(0.5, 0.7, 0.6, None)
    counts = dict.fromkeys(COUNTED, 0) | {"failed": 1, "pruned": 3}
    assert halving.records.counts() == counts
    trial = halving.rungs.promotion(1)
    halving.records.add_trial(trial, 4)
    assert halving.records.counts() == {**counts, "pruned": 2, "running": 1}
    halving.finish(trial.number, 0.8, 1.0)
    assert halving.records.counts() == counts
    halving.promote(trial.number, 0.9)
    assert halving.records.counts() == {**counts, "pruned": 2, "complete": 1}
    assert (halving.records.evaluations, halving.records.promotions) == (4, 2)
    assert halving.records.begun == 4
    again = Records(ONE, {})
    for trial in halving.records.trials.values():  # as a ledger is read: all trials, then outcomes
        again.add_trial(trial, 0)
    for outcome in halving.records.outcomes.values():
        again.add_outcome(outcome)
    assert again.counts() == halving.records.counts()
    assert again.pruned == halving.records.pruned


def test_a_shared_training_is_gone_on_with_by_its_owner_s_seed() -> None:
    halving = filled(0.5, 0.7).add(0.7, source=1)
    trial = halving.rungs.promotion(2)
    assert (trial.seed, trial.continues, trial.parents) == (1, 2, (2,))
    assert halving.records.trained_by(2) == 1


def test_a_search_ends_with_a_complete_design_if_it_can_and_does_not_try_for_ever() -> None:
    halving = filled(0.5, 0.7)
    assert halving.rungs.last_try() == 1
    halving.promote(1, 0.6)
    assert halving.rungs.last_try() == 2
    halving.promote(2, None)
    assert halving.rungs.last_try() == 0
    halving.promote(0, 0.6).promote(4, 0.65)
    assert halving.rungs.last_try() is None
    hopeless = filled(0.5, 0.7, 0.8, 0.9)
    for source in (3, 2, 1):
        assert hopeless.rungs.last_try() == source
        hopeless.promote(source, None)
    assert hopeless.rungs.last_try() is None


def test_weights_are_kept_for_the_better_half_that_is_not_promoted() -> None:
    halving = filled(0.1, 0.2, 0.3, 0.4, 0.5)
    assert halving.rungs.worth_keeping() == {2, 3, 4}
    halving.promote(4, 0.6)
    assert halving.rungs.worth_keeping() == {2, 3, 5}
    many = filled(*(number / 1000 for number in range(200)))
    assert many.rungs.worth_keeping() == set(range(200 - MOST_CHECKPOINTS, 200))


def test_without_rungs_nothing_is_promoted() -> None:
    halving = Halving()
    halving.rungs = Rungs(halving.records, FidelitySettings())
    for _ in range(5):
        halving.add(0.5)
    assert halving.rungs.promotable() is halving.rungs.last_try() is None
    assert halving.rungs.worth_keeping() == set()
    assert halving.records.counts()["complete"] == 5


# What the evolver sees.


def test_a_history_is_levelled_to_its_highest_rung() -> None:
    halving = Halving(TWO)
    for accuracy in (0.5, 0.7, 0.6, 0.4):
        halving.add(accuracy, macs=10)
    halving.add(None)
    halving.promote(1, 0.8, 10).promote(2, 0.9, 10).promote(0, 0.55, 10)
    assert [finished.rung for finished in halving.records.history().finished][4:] == [0, 1, 1, 1]
    level = extrapolated(halving.records.history())
    assert [finished.number for finished in level.finished] == [7, 5, 6, 3, 4]
    assert [finished.chromosome for finished in level.finished] == [(float(n),) for n in range(5)]
    fitness = [finished.fitness for finished in level.finished]
    assert fitness[:3] == [(0.55, -10), (0.8, -10), (0.9, -10)]
    assert fitness[3] == pytest.approx((0.4 + 0.1, -10))  # the median of 0.05, 0.1 and 0.3
    assert fitness[4] is None
    halving.promote(6, 0.97, 10)
    fitness = [finished.fitness for finished in extrapolated(halving.records.history()).finished]
    assert fitness[3] == pytest.approx((0.4 + 0.1 + 0.07, -10))
    assert fitness[0] == pytest.approx((0.55 + 0.07, -10))
    assert fitness[2] == (0.97, -10)


def test_a_design_that_fails_on_a_higher_rung_has_failed() -> None:
    halving = filled(0.5, 0.7).promote(1, None)
    assert [one.fitness for one in extrapolated(halving.records.history()).finished] == [
        (0.5,),
        None,
    ]


def test_a_promotion_in_flight_is_no_second_design() -> None:
    halving = filled(0.5, 0.7)
    halving.records.add_trial(halving.rungs.promotion(1), 2)
    halving.records.add_trial(Trial(3, (9.0,), Blueprint({}), 0), 2)
    assert dict(extrapolated(halving.records.history()).in_flight) == {3: (9.0,)}


def test_an_evolver_goes_on_reading_while_no_value_has_changed() -> None:
    levels, halving = ExtrapolatedHistory(), filled(0.5, 0.7)
    first = levels(halving.records.history()).finished
    second = levels(halving.add(0.6).records.history()).finished
    third = levels(halving.promote(1, 0.8).records.history()).finished
    assert second.items is first.items  # type: ignore[attr-defined]
    assert third.items is not first.items  # type: ignore[attr-defined]
    assert (len(first), len(second)) == (2, 3)
    assert third == extrapolated(halving.records.history()).finished
    assert levels(History([Finished(0, (), (1.0,))])).finished == [Finished(0, (), (1.0,))]


def test_in_a_long_history_promotions_are_looked_at_together() -> None:
    levels, halving, lists = ExtrapolatedHistory(), Halving(), []
    for number in range(200):
        halving.add((7 * number % 50) / 50)
        if (source := halving.rungs.promotable()) is not None:
            halving.promote(source, (7 * number % 50) / 50 + 0.1)
        history = halving.records.history()
        lists.append(levels(history).finished)
        assert lists[-1] == extrapolated(history).finished
        assert len(lists[-1]) == number + 1
    begun = [id(one.items) for one in lists]  # type: ignore[attr-defined]
    changes = [place for place in range(1, 200) if begun[place] != begun[place - 1]]
    assert sum(place >= 100 for place in changes) <= 16
    assert sum(place < 20 for place in changes) > 3


# A search over a function that is told the rung.


@dataclass(frozen=True)
class Toy(Evaluator):
    """Score for channels, less on lower rungs.

    It diverges on the rungs `fails`; each `every`-th call is interrupted.
    """

    calls: list[int]
    fails: frozenset[int] = frozenset()
    every: int = 0

    def prepare(self) -> None:
        """Nothing to do."""

    def training_key(self, blueprint: Blueprint) -> str:
        """Activations make no difference."""
        return str(blueprint.network["stages"])

    def __call__(self, assignment: Assignment) -> Outcome:
        trial = assignment.trial
        self.calls.append(trial.number)
        if self.every and len(self.calls) % self.every == 0:
            raise KeyboardInterrupt
        if trial.rung in self.fails:
            raise TrialFailure("diverged", "as told")
        stages = trial.blueprint.network["stages"]
        score = sum(stage["channels"] * stage["layers"] for stage in stages)
        noise = (trial.seed % 97) / (10 * 3**trial.rung)
        measures = {"score": score * (1 + trial.rung) - noise}
        measures["cost"] = float(sum(stage["layers"] * stage["kernel"] for stage in stages))
        known, source = assignment.known, assignment.source
        return Outcome(trial.number, "complete", {**measures, **known}, source=source)


def toy_setup(name: str, **more: Any) -> Setup:
    every, fails = more.pop("every", 0), more.pop("fails", frozenset())
    settings = Settings.model_validate(
        {
            "space": "nano",
            "objectives": ["score:max", "cost:min"],
            "executor": {"name": "inline"},
            "evaluator": {"name": "python"},
            "display": "none",
            "fidelity": {"rungs": [1, 3, 9], "reduction": 3},
            "budget": {"evaluations": 30},
            "evolver": {"population": 6},
            **more,
        }
    )
    objectives = tuple(parse_objective(text) for text in settings.objectives)
    space = load_space("nano")
    evolver = evolver_class(settings.evolver)(settings.evolver, space, 0)
    facts = {"settings": settings.to_dict(), "space": space.fingerprint}
    toy = Toy(settings, objectives, [], fails, every)
    return Setup(settings, space, toy, evolver, Path(name), facts)


def toy_search(name: str = "toy", **more: Any) -> Run:
    setup = toy_setup(name, **more)
    Path(name).mkdir()
    return _work(setup, Ledger.create(Path(name) / "run.db", setup.facts), Callbacks(None, None))


def test_the_budget_counts_designs_and_promotions_go_on_after_it() -> None:
    run = toy_search()
    records = run.records
    assert run.facts["ended"] == "evaluations"
    assert records.evaluations == 30
    assert Rungs(records, run.settings.fidelity).promotable() is None
    by_rung = [[t for t, _ in run.trials() if t.rung == rung] for rung in range(3)]
    assert len(by_rung[0]) == records.begun >= 30
    assert len(by_rung[1]) >= len(by_rung[0]) // 3
    assert len(by_rung[2]) >= len(by_rung[1]) // 3 >= 3
    assert {o.status for t, o in run.trials() if o and t.rung < 2} == {"pruned"}
    assert {o.status for t, o in run.trials() if o and t.rung == 2} == {"complete"}
    assert {run.records.trials[number].rung for number in records.front} == {2}
    assert sum(records.counts().values()) == records.begun


def replayed(run: Run, number: int) -> Records:
    """What was known when the trial was proposed."""
    past = Records(run.records.objectives, run.records.constraints)
    for earlier in range(number):
        past.add_trial(run.records.trials[earlier], 0)
    for finished in list(run.records.outcomes)[: run.records.seen[number]]:
        past.add_outcome(run.records.outcomes[finished])
    return past


@pytest.mark.parametrize("name", ["pygad", "aging", "tpe", "nsga2", "random"])
def test_every_trial_follows_from_what_its_proposal_had_seen(name: str) -> None:
    run = toy_search(evolver={"name": name, "population": 6})
    evolver = evolver_class(run.settings.evolver)(run.settings.evolver, run.space, 0)
    for trial, _ in run.trials():
        past = replayed(run, trial.number)
        rungs = Rungs(past, run.settings.fidelity)
        assert rungs.promotable() == trial.continues
        if trial.continues is None:
            again = evolver.propose(extrapolated(past.history()), [past.begun])[0]
            assert (again.chromosome, again.parents) == (trial.chromosome, trial.parents)
        else:
            assert rungs.promotion(trial.continues) == trial


def test_stopping_and_resuming_equals_not_stopping() -> None:
    whole = toy_search("whole")
    stops, setup = 0, toy_setup("parts", every=4)
    Path("parts").mkdir()
    Ledger.create(Path("parts/run.db"), setup.facts).close()
    while True:
        try:
            parts = _work(setup, Ledger.open(Path("parts/run.db")), Callbacks(None, None))
            break
        except KeyboardInterrupt:
            stops += 1
    assert stops > 8
    assert parts.trials() == whole.trials()


def test_a_larger_budget_begins_more_designs() -> None:
    first = toy_search("grown", budget={"evaluations": 4})
    assert first.records.evaluations == 4
    setup = toy_setup("grown")
    grown = _work(setup, Ledger.open(Path("grown/run.db")), Callbacks(None, None))
    assert grown.records.evaluations == 30
    assert grown.trials()[: len(first.trials())] == first.trials()
    again = _work(
        toy_setup("grown", every=1), Ledger.open(Path("grown/run.db")), Callbacks(None, None)
    )
    assert again.trials() == grown.trials()


def test_there_is_something_to_export_even_of_a_small_budget() -> None:
    run = toy_search(budget={"evaluations": 2})
    assert [trial.rung for trial, _ in run.trials()] == [0, 0, 1, 2]
    assert run.records.front == [3]
    assert run.records.evaluations == 2


def test_seconds_stop_promotions_too() -> None:
    run = toy_search(budget={"evaluations": 1000, "seconds": 1e-9})
    assert run.facts["ended"] == "seconds"
    assert [trial.rung for trial, _ in run.trials()] == []


def test_a_target_is_met_on_the_top_rung_alone() -> None:
    run = toy_search(budget={"evaluations": 200, "target": {"score": {"min": 100}}})
    scores = [(t.rung, o.measures["score"]) for t, o in run.trials() if o]
    assert run.facts["ended"] == "target"
    assert scores[-1][0] == 2
    assert scores[-1][1] >= 100
    assert max(score for rung, score in scores if rung == 2) == scores[-1][1]


def test_stagnation_waits_for_the_first_complete_design() -> None:
    run = toy_search(budget={"evaluations": 200, "stagnation": 3})
    assert run.facts["ended"] == "stagnation"
    assert run.front
    assert 9 <= run.records.evaluations < 200


def test_failures_on_higher_rungs_end_the_search_as_any_other() -> None:
    run = toy_search(fails=frozenset({1}), budget={"evaluations": 12})
    assert run.facts["ended"] == "evaluations"
    assert run.records.front == []
    assert run.records.evaluations == 12
    promotions = [o for t, o in run.trials() if o and t.operator == "promotion"]
    assert {outcome.status for outcome in promotions} == {"failed"}
    assert 12 // 3 <= len(promotions) < 12


def test_an_equal_training_is_paid_once_on_every_rung() -> None:
    setup = toy_setup("shared", budget={"evaluations": 60})
    Path("shared").mkdir()
    run = _work(setup, Ledger.create(Path("shared/run.db"), setup.facts), Callbacks(None, None))
    paid = [t for t, o in run.trials() if o and o.source is None]
    keys = [(setup.evaluator.training_key(t.blueprint), t.rung) for t in paid]
    assert len(set(keys)) == len(keys) < len(run.trials())
    for trial, outcome in run.trials():
        if outcome and outcome.source is not None:
            assert run.records.trials[outcome.source].rung == trial.rung
    shared = [t for t, o in run.trials() if o and o.source is not None and t.rung]
    for trial in shared:
        source = run.records.trials[run.records.outcomes[trial.number].source or 0]
        assert trial.seed == source.seed


# What is said of wrong settings.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fidelity.rungs=3,1"], "fidelity.rungs=3,1: rungs must rise"),
        (["fidelity.rungs=3"], "fidelity.rungs=3: rungs must rise, and be two at least"),
        (["fidelity.rungs=1,3", "schedule=generational"], "needs schedule=async, got"),
        (
            ["fidelity.rungs=1,3", "evaluator=table", "objectives=a:max"],
            "needs evaluator=train, got evaluator=table",
        ),
        (["fidelity.rungs=1,3,9", "fidelity.of=data"], "rungs are percent, and the last one is"),
    ],
)
def test_rungs_that_make_no_sense_are_named(words: list[str], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        search(["space=nano", *words])
    assert not Path("runs").exists()


def test_a_gene_for_the_epochs_and_rungs_exclude_each_other() -> None:
    Path("long.yaml").write_text("training: {epochs: {int: [1, 9]}}\n")
    with pytest.raises(SettingsError, match=r"long.*epochs.*the rungs say how long"):
        search(["space=nano+./long.yaml", "fidelity.rungs=1,3"])
