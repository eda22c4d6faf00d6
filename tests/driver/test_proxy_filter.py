"""Designs that are left out by their score: which, when, and the same ones after a resume."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evonas.blueprint import Blueprint
from evonas.driver.loop import trial_seed
from evonas.driver.proxy_filter import (
    FEWEST,
    LATEST,
    ProxyFilter,
    Scored,
    check_filter,
    correlation_of,
    is_among_worst,
    is_trusted,
)
from evonas.errors import BuildError
from evonas.evaluation.objectives import parse_objective
from evonas.runs.records import Records
from evonas.settings import FilterSettings, Words
from evonas.trial import Outcome, Status, Trial

ALL_OF_THE_WORST = FilterSettings(proxy="synflow", trust=10**9)


class Search:
    """A run over made-up scores and values, one trial after the other."""

    def __init__(self, settings: FilterSettings = ALL_OF_THE_WORST) -> None:
        self.records = Records([parse_objective("loss:min")], {})
        self.asked: list[int] = []
        self.scores: dict[int, float] = {}
        self.numbers: dict[int, int] = {}  # of trials, by their seeds
        self.filter = ProxyFilter(self.records, settings, self.on_the_bench)

    def on_the_bench(self, design: Blueprint, seed: int) -> Any:
        return SimpleNamespace(take=lambda measure: self.score(self.numbers[seed], measure))

    def score(self, number: int, measure: str) -> float:
        assert measure == "synflow"
        self.asked.append(number)
        return self.scores[number]

    def propose(self, score: float) -> Trial:
        number = self.records.next_number
        self.scores[number] = score
        trial = Trial(number, (float(number),), Blueprint({}), trial_seed(0, number))
        self.numbers[trial.seed] = number
        self.records.add_trial(trial, len(self.records.outcomes))
        return trial

    def outcome(self, trial: Trial, loss: float) -> Outcome:
        """As the loop has it: left out, or trained."""
        known = {"macs": 1.0}
        known |= self.filter.scored(trial, known)
        trained = Outcome(trial.number, "complete", {**known, "loss": loss})
        return self.filter.dropped(trial, known) or trained

    def run(self, pairs: Sequence[tuple[float, float]]) -> list[bool]:
        """Whether each was left out, of (score, loss)."""
        for score, loss in pairs:
            self.records.add_outcome(self.outcome(self.propose(score), loss))
        return [outcome.status == "filtered" for outcome in self.records.outcomes.values()]


def pairs(count: int, noise: float = 0.0, seed: int = 0) -> list[tuple[float, float]]:
    """Scores, and losses that they foretell the worse the more noise there is."""
    rng = np.random.default_rng(seed)
    scores = rng.permutation(count).astype(float)
    losses = -scores + noise * count * rng.standard_normal(count)
    return list(zip(scores.tolist(), losses.tolist(), strict=True))


def test_it_watches_first_and_then_leaves_out_the_worst_share() -> None:
    dropped = Search().run(pairs(200))
    assert not any(dropped[:FEWEST])
    assert 0.4 < np.mean(dropped[FEWEST:]) < 0.6
    few = Search(ALL_OF_THE_WORST.model_copy(update={"share": 0.2})).run(pairs(200))
    assert 0.1 < np.mean(few[FEWEST:]) < 0.3


def test_what_is_left_out_has_its_score_and_says_why() -> None:
    search = Search()
    search.run([(float(score), -float(score)) for score in range(FEWEST)])
    outcome = search.outcome(search.propose(1.5), 0.0)
    assert outcome.status == "filtered"
    assert outcome.measures == {"macs": 1.0, "synflow": 1.5}
    assert outcome.details == {"filter": {"proxy": "synflow", "correlation": 1.0}}
    assert outcome.error_text == "synflow is 1.5, among the worst 50% of late"
    assert outcome.curve == ()
    assert search.outcome(search.propose(10.5), 0.0).status != "filtered"


def test_only_the_latest_scores_count() -> None:
    search = Search()
    search.run([(2000.0 + n, -2000.0 - n) for n in range(2 * LATEST)])
    assert search.outcome(search.propose(1500.0), 0.0).status == "filtered"
    search = Search()
    search.run([(2000.0 + n, -2000.0 - n) for n in range(2 * LATEST)])
    search.run([(1000.0 + n, -1000.0 - n) for n in range(LATEST)])
    assert search.outcome(search.propose(1500.0), 0.0).status != "filtered"


def test_what_was_left_out_tells_nothing_of_a_cheap_objective() -> None:
    records = Records([parse_objective("macs:min")], {})
    outcomes = [Outcome(n, "complete", {"synflow": n, "macs": -n}) for n in range(FEWEST)]
    left_out = {"synflow": 0.5, "macs": 1e9}
    outcomes.append(Outcome(FEWEST, "filtered", left_out))
    for outcome in outcomes:
        records.add_trial(Trial(outcome.number, (), Blueprint({}), 0), outcome.number)
        records.add_outcome(outcome)
    seen = ProxyFilter(records, ALL_OF_THE_WORST, lambda design, seed: None)._seen(len(outcomes))
    assert seen[-1] == Scored(FEWEST, 0.5, None)
    assert seen[0] == Scored(0, 0.0, 0.0)


def test_a_score_that_foretells_nothing_leaves_nothing_out_until_it_does() -> None:
    search = Search()
    assert not any(search.run([(score, -loss) for score, loss in pairs(60)]))
    dropped = search.run([(score + 100, loss - 100) for score, loss in pairs(200, seed=1)])
    assert any(dropped[60:])
    assert not any(Search().run([(1.0, loss) for _, loss in pairs(60)]))


def test_one_in_trust_of_the_worst_is_trained_nevertheless() -> None:
    trial = Trial(0, (), Blueprint({}), 0)
    drawn = [is_trusted(replace(trial, seed=trial_seed(0, n)), 10) for n in range(3000)]
    assert 0.08 < np.mean(drawn) < 0.12
    assert all(is_trusted(replace(trial, seed=n), 1) for n in range(20))
    trusting = Search(ALL_OF_THE_WORST.model_copy(update={"trust": 4}))
    dropped, strict = trusting.run(pairs(300)), Search().run(pairs(300))
    assert 0.6 < sum(dropped) / sum(strict) < 0.9


@pytest.mark.parametrize("cut", [5, FEWEST, 40, 77])
def test_a_resumed_run_leaves_out_the_same(cut: int) -> None:
    settings = FilterSettings(proxy="synflow", trust=3)
    whole, made = Search(settings), pairs(80, noise=0.3)
    dropped = whole.run(made)
    assert 5 < sum(dropped) < 70
    again = Search(settings)
    for number, outcome in list(whole.records.outcomes.items())[:cut]:
        again.records.add_trial(whole.records.trials[number], whole.records.seen[number])
        again.records.add_outcome(outcome)
    assert again.run(made[cut:]) == dropped


def test_a_decision_is_of_what_had_finished_when_the_trial_was_proposed() -> None:
    search = Search()
    search.run([(float(score), -float(score)) for score in range(FEWEST)])
    waiting = [search.propose(score) for score in (2.5, 9.5)]
    before = [search.outcome(trial, 0.0).status == "filtered" for trial in waiting]
    search.run([(100.0 + score, float(score)) for score in range(30)])
    assert (
        [search.outcome(trial, 0.0).status == "filtered" for trial in waiting]
        == before
        == [True, False]
    )


def test_repeats_promotions_and_failures_tell_nothing() -> None:
    search = Search()
    search.run([(float(score), -float(score)) for score in range(FEWEST - 1)])
    told: list[tuple[Status, int | None, int | None]] = [
        ("complete", 0, None),
        ("complete", None, 0),
        ("failed", None, None),
        ("infeasible", None, None),
    ]
    for status, source, continues in told:
        trial = replace(search.propose(50.0), continues=continues)
        search.records.trials[trial.number] = trial
        measures = {"synflow": 50.0, "loss": -50.0}
        search.records.add_outcome(Outcome(trial.number, status, measures, source=source))
    assert search.outcome(search.propose(1.0), 0.0).status != "filtered"
    search.run([(30.0, -30.0)])
    assert search.outcome(search.propose(1.0), 0.0).status == "filtered"


def test_trainings_on_a_lower_rung_tell_as_well_and_promotions_are_never_left_out() -> None:
    search = Search()
    for score in range(FEWEST):
        trial = search.propose(float(score))
        outcome = replace(search.outcome(trial, -float(score)), status="pruned")
        search.records.add_outcome(outcome)
    trial = search.propose(1.5)
    assert search.outcome(trial, 0.0).status == "filtered"
    assert search.outcome(replace(trial, continues=3), 0.0).status != "filtered"


def test_a_score_is_taken_once_and_never_without_need() -> None:
    search = Search()
    trial = search.propose(1.0)
    assert search.filter.scored(trial, {"synflow": 2.0}) == {}
    assert search.filter.scored(replace(trial, continues=0), {}) == {}
    assert Search(FilterSettings()).filter.scored(trial, {}) == {}
    assert search.asked == []
    assert search.filter.scored(trial, {"macs": 2.0}) == {"synflow": 1.0}


def test_a_design_that_cannot_be_scored_is_trained() -> None:
    def broken(number: int, measure: str) -> float:
        raise BuildError("nothing is left of the input")

    search = Search()
    search.run([(float(score), -float(score)) for score in range(FEWEST)])
    trial = search.propose(0.0)
    search.score = broken  # type: ignore[method-assign]
    assert search.filter.scored(trial, {}) == {}
    assert search.filter.dropped(trial, {}) is None


def test_equal_scores_are_never_the_worst() -> None:
    assert not is_among_worst(1.0, [1.0] * 20, 0.5)
    assert is_among_worst(0.0, [1.0] * 20, 0.5)
    assert not is_among_worst(0.0, [], 0.5)


def test_the_correlation_is_of_ranks() -> None:
    def of(fitness: Sequence[float | None]) -> float | None:
        return correlation_of([Scored(n, 2.0**n, value) for n, value in enumerate(fitness)])

    assert of([float(n) for n in range(FEWEST)]) == pytest.approx(1)
    assert of([-float(n) for n in range(FEWEST)]) == pytest.approx(-1)
    assert of([0.0] * FEWEST) == 0
    assert of([float(n) for n in range(FEWEST - 1)] + [None] * 9) is None


def problems(*words: str) -> list[str]:
    return list(check_filter(Words(words).read()[0]))


def test_settings_that_make_no_filter_are_named() -> None:
    assert problems() == problems("filter.proxy=macs", "filter.share=0.3") == []
    assert problems("filter.share=0.3") == [
        "filter.share has no effect without a score. Name one: filter.proxy=synflow."
    ]
    (unknown,) = problems("filter.proxy=sinflow")
    assert 'Did you mean "synflow"?' in unknown
    (table,) = problems("filter.proxy=synflow", "evaluator=table")
    assert "needs evaluator=train" in table


def test_events_are_looked_at_once_each() -> None:
    search = Search()
    search.run(pairs(30))
    lengths = []
    for score, loss in pairs(5):
        search.run([(score, loss)])
        lengths.append(len(search.filter._events))
    assert all(later == earlier + 1 for earlier, later in pairwise(lengths))
