"""A design that is compressed: planned beforehand, trained whole, scored as it is deployed."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from conftest import QUICK, a_network, a_stage
from small_steps import SMALL_STEPS

from evonas.blueprint import Blueprint, plan_network
from evonas.compression import compress
from evonas.driver.preparation import check, set_up
from evonas.evaluation import trial_compression
from evonas.evaluation.train_evaluator import TrainEvaluator
from evonas.models import count
from evonas.settings import Words
from evonas.trial import Assignment, Trial

NETWORK = a_network(a_stage(layers=3, channels=8))
HALVED: Mapping[str, Any] = {"pruning": {"method": "depth"}}
ROUNDED: Mapping[str, Any] = {"quantisation": {"method": "weights", "bits": 4}}
IN_INT8: Mapping[str, Any] = {"quantisation": {"method": "int8"}}


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "STEPS", SMALL_STEPS)


@pytest.fixture
def evaluator(tmp_path: Path) -> TrainEvaluator:
    checked = check(Words([*QUICK, "objectives=accuracy,latency_ms,size_mib"]))
    made = set_up(checked, tmp_path, checked.facts).evaluator
    assert isinstance(made, TrainEvaluator)
    return made


def design(**compression: Any) -> Blueprint:
    return Blueprint(NETWORK, compression=compression)


def test_what_is_counted_is_what_is_deployed(evaluator: TrainEvaluator) -> None:
    plain, small = evaluator.bench(design()), evaluator.bench(design(**HALVED, **ROUNDED))
    names = ("parameters", "macs", "size_mib", "size_before_mib")
    before, after = ({name: bench.take(name) for name in names} for bench in (plain, small))
    assert before["size_before_mib"] == before["size_mib"] == after["size_before_mib"]
    assert after["macs"] < before["macs"]
    assert after["size_mib"] == after["parameters"] / 2 / 2**20
    assert count(plan_network(small.design, evaluator.full)).macs == before["macs"]
    assert small.artefact(evaluator.full).plan == small.deployed_plan(evaluator.full)


def test_a_latency_is_that_of_an_equal_network_unless_it_computes_in_8_bits(
    evaluator: TrainEvaluator,
) -> None:
    shorter = Blueprint(a_network(a_stage(layers=2, channels=8)))
    keys = [
        evaluator.bench(each).artefact(evaluator.full).key
        for each in (shorter, design(**HALVED), design(), design(**ROUNDED), design(**IN_INT8))
    ]
    assert keys[0] == keys[1]
    assert keys[2] == keys[3]
    assert len({*keys}) == 3
    whole = evaluator.bench(design(**IN_INT8)).artefact(evaluator.full, is_before=True)
    assert whole.key == keys[2]


def test_designs_share_trainings_and_outcomes_by_what_acts_in_them(
    evaluator: TrainEvaluator,
) -> None:
    noisy = design(quant_noise={"method": "int8"})
    told_twice = design(quantisation={"method": "weights", "bits": 4, "images": 9})
    designs = [design(), design(**ROUNDED), told_twice, noisy]
    trainings = [evaluator.training_key(each) for each in designs]
    outcomes = [evaluator.outcome_key(each) for each in designs]
    assert trainings[0] == trainings[1] == trainings[2] != trainings[3]
    assert outcomes[0] == trainings[0]
    assert outcomes[1] == outcomes[2]
    assert len({*outcomes}) == 3


def test_a_compressed_design_is_scored_as_it_is_deployed(evaluator: TrainEvaluator) -> None:
    found = {}
    for name, asked in {"plain": {}, "both": {**HALVED, **ROUNDED}}.items():
        trial = Trial(len(found), (), design(**asked), seed=3)
        found[name] = evaluator(Assignment(trial, known={"latency_ms": 1.0}))
    plain, both = found["plain"], found["both"]
    assert both.curve == plain.curve
    assert both.measures["accuracy_before"] == plain.measures["accuracy"]
    loss = both.measures["accuracy_before"] - both.measures["accuracy"]
    assert both.measures["compression_loss"] == loss
    assert plain.measures.keys().isdisjoint({"accuracy_before", "compression_loss"})
    rows = both.details["compression"]
    assert [row["step"] for row in rows] == ["training", "pruning", "quantisation"]
    assert [rows[0]["accuracy"], rows[2]["accuracy"]] == [
        both.measures["accuracy_before"],
        both.measures["accuracy"],
    ]
    sizes = [row["size_mib"] for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] == both.measures["size_mib"]
    assert all(row["seconds"] > 0 for row in rows)


def test_int8_is_scored_in_onnx_runtime(
    evaluator: TrainEvaluator, monkeypatch: pytest.MonkeyPatch
) -> None:
    models: list[bytes] = []
    real = trial_compression.OnnxNetwork
    monkeypatch.setattr(
        trial_compression, "OnnxNetwork", lambda model: models.append(model) or real(model)
    )
    trial = Trial(0, (), design(**IN_INT8), seed=3)
    outcome = evaluator(Assignment(trial, known={"latency_ms": 1.0}))
    assert len(models) == 1
    assert outcome.measures["accuracy"] == pytest.approx(
        outcome.measures["accuracy_before"], abs=0.1
    )
