"""One design on the bench: nothing is worked out twice, and what is measured is what is shipped."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import QUICK
from torch import nn

from evonas.blueprint import plan_network
from evonas.driver.preparation import check, set_up
from evonas.evaluation import bench as bench_module
from evonas.evaluation.bench import Bench
from evonas.evaluation.train_evaluator import TrainEvaluator
from evonas.exporters.forms import FORMS
from evonas.models import count
from evonas.settings import Words
from evonas.trial import Assignment, Trial


@pytest.fixture(scope="module")
def evaluator() -> TrainEvaluator:
    checked = check(Words([*QUICK, "objectives=accuracy,macs"]))
    made = set_up(checked, Path("none"), checked.facts).evaluator
    assert isinstance(made, TrainEvaluator)
    return made


@pytest.fixture(scope="module")
def trial(evaluator: TrainEvaluator) -> Trial:
    checked = check(Words(QUICK))
    chromosome = tuple(gene.default_number for gene in checked.space.genes)
    return Trial(0, chromosome, checked.space.decode(chromosome), seed=3)


def test_a_design_is_trained_at_most_once(
    evaluator: TrainEvaluator, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Assignment] = []
    training = SimpleNamespace(scores={"accuracy": 0.5, "loss": 1.5}, seconds=2.0)
    monkeypatch.setattr(
        bench_module, "trained", lambda kit, assignment: given.append(assignment) or training
    )
    assignment = Assignment(trial)
    bench = Bench(evaluator.kit, trial.blueprint, trial.seed, assignment)
    assert bench.training_done is None
    taken = [bench.take(name) for name in ("accuracy", "loss", "train_seconds")]
    assert taken == [0.5, 1.5, 2.0]
    assert given == [assignment]
    assert bench.training_done is training


def test_counts_and_size_are_of_the_full_network(evaluator: TrainEvaluator, trial: Trial) -> None:
    bench = evaluator.bench(trial.blueprint)
    counted = count(plan_network(trial.blueprint, evaluator.full))
    assert (bench.take("parameters"), bench.take("macs")) == (counted.parameters, counted.macs)
    assert bench.take("size_mib") == counted.parameters * 4 / 2**20
    assert bench.take("peak_memory_mib") > bench.take("size_mib")


@pytest.mark.parametrize("reads_onnx", [True, False])
def test_what_is_timed_is_the_model_that_is_shipped(
    evaluator: TrainEvaluator, trial: Trial, reads_onnx: bool
) -> None:
    artefact = evaluator.bench(trial.blueprint).artefact(evaluator.proxy)
    timed: list[Any] = []
    clock = SimpleNamespace(
        form=FORMS["onnx"] if reads_onnx else None,
        measure=timed.append,
        measure_network=lambda network, shape: timed.append((network, shape)),
    )
    for _ in range(2):
        artefact.latency(clock)  # type: ignore[arg-type]
    model: Any = artefact.model if reads_onnx else artefact.network
    shape = evaluator.proxy.input_shape
    assert all((each if reads_onnx else each[0]) is model for each in timed)
    assert reads_onnx or timed[0][1] == shape
    assert isinstance(artefact.network, nn.Module)


def test_size_and_memory_follow_the_bits_of_the_plan(
    evaluator: TrainEvaluator, trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("size_mib", "peak_memory_mib")
    whole = [evaluator.bench(trial.blueprint).take(name) for name in names]
    monkeypatch.setattr(
        bench_module, "plan_network", lambda *given: replace(plan_network(*given), bits=8)
    )
    small = [evaluator.bench(trial.blueprint).take(name) for name in names]
    assert small == [value / 4 for value in whole]


def test_equal_artefacts_have_equal_keys(evaluator: TrainEvaluator, trial: Trial) -> None:
    bench = evaluator.bench(trial.blueprint)
    again = evaluator.bench(trial.blueprint, seed=9)
    assert bench.artefact(evaluator.full).key == again.artefact(evaluator.full).key
    assert bench.artefact(evaluator.full).key != bench.artefact(evaluator.proxy).key
