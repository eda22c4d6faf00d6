"""What differs by less than noise makes no front and no knee."""

import math
from typing import Any

import numpy as np
import pytest

from evonas.blueprint import Blueprint
from evonas.evaluation.objectives import parse_objective
from evonas.runs.noise import LOADED_ANEW, OF_PRECISIONS, Noise, knee, stand_ins
from evonas.runs.records import Records
from evonas.settings import Settings
from evonas.trial import Outcome, Trial

DIGITS = 575  # validation images
# The README's front, and one whose highest member is so by luck.
FIRST = [(0.9913, 1.961), (0.9896, 1.864), (0.9861, 1.398)]
BENT = [(0.991, 1.35), (0.979, 1.27), (0.95, 1.1)]


def noise_of(
    *points: tuple[float, float],
    objectives: str = "accuracy,latency_ms",
    images: int | None = DIGITS,
    spread: float = 0.01,
    **settings: Any,
) -> Noise:
    """Of a run of complete trials with these measures."""
    names = objectives.split(",")
    records = Records([parse_objective(name, is_open=True) for name in names], {})
    for number, point in enumerate(points):
        records.add_trial(Trial(number, (float(number),), Blueprint({}), seed=0), 0)
        measures = dict(zip((name.split(":")[0] for name in names), point, strict=True))
        details = {"latency": {"spread": spread}}
        records.add_outcome(Outcome(number, "complete", measures, details=details))
    return Noise(records, Settings(objectives=tuple(names), **settings), images)


def confirmed(noise: Noise, number: int, *points: tuple[float, float]) -> None:
    """Trains a design again, with these measures."""
    records = noise.records
    for point in points:
        new = records.next_number
        trial = Trial(new, (float(number),), Blueprint({}), 0, (number,), confirms=number)
        records.add_trial(trial, 0)
        measures = dict(zip(("accuracy", "latency_ms"), point, strict=True))
        records.add_outcome(Outcome(new, "complete", measures))


def test_an_accuracy_is_off_by_what_few_images_can_tell() -> None:
    noise = noise_of((0.98, 1.0), (1.0, 2.0))
    assert noise.error("accuracy", 0) == pytest.approx(math.sqrt(0.98 * 0.02 / DIGITS), rel=0.1)
    assert 0.001 < noise.error("accuracy", 1) < noise.error("accuracy", 0)
    assert noise_of((0.98, 1.0), images=None).error("accuracy", 0) == 0


def test_a_latency_is_off_by_its_spread_and_by_where_its_memory_lies() -> None:
    own = noise_of((0.9, 2.0), spread=0.0).error("latency_ms", 0)
    assert own == pytest.approx(2 * LOADED_ANEW)
    wide = noise_of((0.9, 2.0), spread=0.0588).error("latency_ms", 0)
    assert wide == pytest.approx(2 * math.hypot(0.03, LOADED_ANEW))


def test_counts_and_what_is_looked_up_have_no_error() -> None:
    assert noise_of((0.9, 2.0), objectives="accuracy,macs").error("macs", 0) == 0
    table = noise_of((0.9, 2.0), evaluator={"name": "table"})
    assert table.errors([0]).tolist() == [[0, 0]]
    boxes = noise_of((0.5, 2.0), objectives="map50_95,macs")
    assert boxes.error("map50_95", 0) == OF_PRECISIONS


def test_what_is_computed_is_off_by_what_it_is_computed_from() -> None:
    noise = noise_of((0.9, 80.0), reward={"target_ms": 40, "beta": -1})
    measures = noise.records.outcomes[0].measures
    reward = measures["accuracy"] * 40 / measures["latency_ms"]
    shares = (noise.error("accuracy", 0) / 0.9, noise.error("latency_ms", 0) / 80)
    assert noise.error("mnasnet_reward", 0) == pytest.approx(reward * math.hypot(*shares), rel=0.05)


def test_trainings_from_fresh_seeds_tell_by_how_much_their_mean_is_off() -> None:
    noise = noise_of((0.98, 1.0), (0.97, 2.0), (0.9, 0.5))
    confirmed(noise, 0, (0.97, 1.01), (0.99, 0.99))
    confirmed(noise, 1, (0.975, 2.0), (0.975, 2.0))
    pooled = math.sqrt((0.02**2 / 2 + 0) / 2)  # of a sample of two, and of two equal ones
    assert noise.error("accuracy", 0) == pytest.approx(pooled / math.sqrt(2))
    assert noise.error("accuracy", 1) == pytest.approx(pooled / math.sqrt(2))
    assert noise.error("latency_ms", 1) == pytest.approx(2 * noise.error("latency_ms", 0))
    assert noise.error("accuracy", 2) > 0.01, "that was seen once"


def test_of_designs_that_images_do_not_tell_apart_the_cheaper_stays() -> None:
    noise = noise_of(*FIRST)
    assert noise.records.front == [0, 1, 2]
    assert noise.apart([0, 1, 2]) == [2]
    assert noise.stand_ins([0, 1, 2]) == {0: 2, 1: 2}
    many = noise_of(*FIRST, images=100_000)
    assert many.apart([0, 1, 2]) == [0, 1, 2]


def test_of_designs_that_the_clock_does_not_tell_apart_the_better_stays() -> None:
    noise = noise_of((0.95, 1.01), (0.9, 1.0), (0.8, 0.5))
    assert noise.apart([0, 1, 2]) == [0, 2]


def test_the_ends_of_a_chain_of_small_differences_stay_apart() -> None:
    fitness = np.array([[0.915, -1.6], [0.910, -1.4], [0.905, -1.2], [0.90, -1.0]])
    assert stand_ins(fitness, np.full((4, 2), [0.005, 0.01])) == {2: 3, 0: 1}


@pytest.mark.parametrize("seed", range(20))
def test_each_that_is_left_out_is_like_one_that_stays_and_those_are_unlike(seed: int) -> None:
    rng = np.random.default_rng(seed)
    objectives = 2 + seed % 2
    fitness = rng.normal(size=(30, objectives))
    errors = np.full(fitness.shape, 0.3) * (rng.random(objectives) < 0.7)
    from evonas import pareto

    fitness = fitness[pareto.front(fitness)]
    errors = errors[: len(fitness)]
    found = stand_ins(fitness, errors)
    stay = {*range(len(fitness))} - {*found}
    margins = math.sqrt(2) * errors[0]
    assert {*found.values()} <= stay
    for member, other in found.items():
        assert (fitness[member] - fitness[other] <= margins + 1e-12).all()
    if objectives == 2:
        for one in stay:
            for other in stay - {one}:
                assert (fitness[one] - fitness[other] > margins - 1e-12).any()


def test_a_knee_that_noise_could_make_is_none() -> None:
    noise = noise_of(*BENT)
    front = noise.apart([0, 1, 2])
    assert front == [0, 1, 2]
    assert noise.knee(front) is None
    assert noise_of(*BENT, images=100_000, spread=0).knee(front) is None
    sharp = noise_of((0.99, 5.0), (0.98, 1.0), (0.8, 0.9))
    assert sharp.knee([0, 1, 2]) == 1


def test_without_noise_the_knee_is_the_highest() -> None:
    fitness = np.array([[10.0, 0.0], [8.0, 3.0], [6.0, 9.0], [0.0, 10.0]])
    assert knee(fitness, np.zeros((4, 2))) == 2
    straight = np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 2.0]])
    assert knee(straight, np.zeros((3, 2))) is None
    assert knee(fitness[:2], np.zeros((2, 2))) is None
