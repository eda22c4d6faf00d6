"""Sizes that nobody means are refused before anything is started."""

import pytest
from conftest import problems_of

from evonas.driver.preparation import check
from evonas.settings import Words


@pytest.mark.parametrize(
    "word",
    [
        "full.phi=1000",
        "full.phi=-1000",
        "full.width=1e300",
        "full.resolution_px=10000000",
        "full.filters=100000000",
        "training.batch_size=100000000",
        "training.epochs=1000000000000",
        "evolver.population=100000000",
        "evolver.nsga3_divisions=100000",
        "latency.threads=65536",
        "latency.threads=1000",
        "latency.batch=10000000",
        "executor.workers=100000",
        "executor.workers=4000",
        "executor.timeout_s=1e300",
        "budget.seconds=1e300",
        "evaluator.duration_cv=1e300",
        "data.synthetic.images=1000000000000",
        "run.seed=" + "9" * 400,
        "reward.beta=-1e300",
    ],
)
def test_absurd_sizes_are_refused_by_name(word: str) -> None:
    (problem,) = problems_of(check, Words(["space=nano", "data=synthetic", word]))
    assert word.partition("=")[0] in problem


@pytest.mark.parametrize("word", ["executor.workers=512", "executor.workers=4096"])
def test_simulated_workers_may_be_many(word: str) -> None:
    words = Words(["executor=virtual", "evaluator.duration_mean_s=600", word])
    assert words.read()[0].executor.workers
    assert not words.read()[1]
