"""What the surrogate learns from."""

from test_surrogate import draws, finished, space, toy, toy_of

from evonas.evolution.features import Features
from evonas.evolution.learner import Learner
from evonas.evolution.surrogate import OBJECTIVES
from evonas.space import SearchSpace

__all__ = ["space"]  # the fixture


def test_of_a_long_history_the_best_and_the_newest_count(space: SearchSpace) -> None:
    trials = finished(draws(space, 50, 0), toy)
    learner = Learner(Features(space), trials, OBJECTIVES)
    kept = learner._seen(50, 20)
    numbers = [trial.number for trial in kept]
    assert numbers == sorted(set(numbers))
    assert len(numbers) == 20
    best = sorted(trials, key=toy_of, reverse=True)[:10]
    rest = [trial for trial in trials if trial not in best][-10:]
    assert set(numbers) == {trial.number for trial in (*best, *rest)}
    assert learner._seen(50, 50) == trials
