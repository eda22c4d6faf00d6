"""PyGAD's own applications are solved: the very functions of experiments/applications.py."""

import importlib
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY

from evonas import Blueprint, Run

EXPERIMENTS = REPOSITORY / "experiments"


@pytest.fixture(scope="module")
def applications() -> Iterator[Any]:
    """The script as a module."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(EXPERIMENTS)
        yield importlib.import_module("applications")


def measured(run: Run, name: str) -> list[float]:
    return [outcome.measures[name] for _, outcome in run.trials() if outcome is not None]


def test_a_linear_model_is_fitted(applications: Any) -> None:
    run = applications.linear_model(0)
    weights = applications.best_of(run)[0]["weights"]
    products = [w * x for w, x in zip(weights, [4, -2, 3.5, 5, -11, -4.7], strict=True)]
    assert abs(math.fsum(products) - 44) <= 1e-6
    assert run.facts["ended"] == "target"
    assert min(measured(run, "error")[:50]) > 1e-3  # what it began with


def test_eight_queens_attack_no_other(applications: Any) -> None:
    run = applications.eight_queens(0)
    rows = applications.rows_of(applications.best_of(run)[0]["keys"])
    assert sorted(rows) == list(range(8))
    for sign in (1, -1):
        assert len({row + sign * column for column, row in enumerate(rows)}) == 8
    assert run.facts["ended"] == "target"
    assert min(measured(run, "attacks")[:20]) > 0


@pytest.mark.slow
def test_a_picture_is_reproduced(applications: Any) -> None:
    run = applications.picture(0)
    original = applications.handwritten_zero()
    reproduced = applications.image_of(applications.best_of(run)[0]["pixels"])
    assert reproduced.shape == original.shape == (8, 8)
    assert 0 < np.abs(reproduced - original).mean() <= 0.02 * 255
    assert min(measured(run, "difference")[:20]) > 0.2

    blueprint = Blueprint({}, values={"pixels": applications.vector_of(original)})
    chromosome = run.space.encode(blueprint)
    assert len(chromosome) == 64
    decoded = run.space.decode(chromosome).values["pixels"]
    assert (applications.image_of(decoded) == original).all()


def test_a_network_computes_xor(applications: Any) -> None:
    run = applications.xor_network(0)
    values, measures = applications.best_of(run)
    assert measures["accuracy"] == 1
    for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)):
        assert (_logit(values["weights"], a, b) > 0) == (a != b)
    assert max(measured(run, "accuracy")[:20]) < 1


def _logit(weights: list[float], a: int, b: int) -> float:
    """Two inputs, two hidden neurons, one output, written out."""
    first, second = (
        math.tanh(a * weights[n] + b * weights[2 + n] + weights[4 + n]) for n in range(2)
    )
    return first * weights[6] + second * weights[7] + weights[8]


def test_a_convolutional_network_tells_digits_apart(applications: Any) -> None:
    run = applications.digits_cnn(0)
    values, measures = applications.best_of(run)
    assert measures["accuracy"] >= 0.95
    network, (images, labels) = applications.small_cnn(), applications.digits()
    applications.set_weights(network, values["weights"])
    right = (network(images).argmax(1) == labels)[applications.SEEN :]
    assert len(right) == 237
    assert float(right.double().mean()) == measures["unseen_accuracy"] >= 0.85  # chance: 0.37
    assert max(measured(run, "accuracy")[:20]) < 0.8


def test_the_script_prints_what_was_reached() -> None:
    words = ["eight_queens", "--seeds", "2", "--json"]
    call = [sys.executable, str(EXPERIMENTS / "applications.py"), *words]
    result = subprocess.run(call, capture_output=True, text=True, timeout=120, check=True)
    found = json.loads(result.stdout)
    assert list(found) == ["eight_queens"]
    queens = found["eight_queens"]
    assert (queens["target_met"], queens["attacks"]) == ("2 of 2", [0, 0])
    assert len(queens["evaluations"]) == len(queens["seconds"]) == 2
