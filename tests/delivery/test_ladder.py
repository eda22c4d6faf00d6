"""The forms of a model that steps of compression make, side by side."""

import copy
from typing import Any

import pytest
import torch
from conftest import a_network
from plain_steps import Narrower, plain_steps

from evonas.blueprint import Blueprint, scaled_network
from evonas.compression.step import Compressed, StepKit
from evonas.data.cache import load_data
from evonas.delivery.ladder import Ladder
from evonas.errors import ExportError
from evonas.exporters.file_names import ONNX, ONNX_INT8, PACKED
from evonas.models import Network, initialise
from evonas.networks import Scale, planned
from evonas.settings import CompressionSettings, DataSettings, LatencySettings, TrainingSettings
from evonas.training import evaluate

__all__ = ["plain_steps"]  # fixtures

pytestmark = pytest.mark.usefixtures("plain_steps")

SECTION = scaled_network(Blueprint(a_network()), Scale("proxy", 8, input_channels=1))
QUICK = LatencySettings(limit_s=0.05)


def climbed(told: list[str] | None = None, **steps: Any) -> Ladder:
    """The ladder of a network with fresh weights on a few digits."""
    data = load_data(DataSettings(subset=100), 8)
    network = Network(planned(SECTION))
    initialise(network, 0)
    settings = CompressionSettings.model_validate(steps)
    kit = StepKit(
        settings, TrainingSettings(), SECTION, data.train, data.problem, 0, torch.device("cpu")
    )
    ladder = Ladder(kit, "validation", data.validation, QUICK)
    ladder.climb(network, 2.0, (told if told is not None else []).append)
    return ladder


def test_each_step_leaves_a_form_with_the_score_of_the_file_that_is_shipped() -> None:
    told: list[str] = []
    ladder = climbed(told, pruning={"method": "channels"}, quantisation={"method": "int8"})
    assert [form.name for form in ladder.forms] == ["fp32", "pruned", "int8"]
    assert [form.file for form in ladder.forms] == [ONNX, ONNX, ONNX_INT8]
    assert [line.split(":")[0] for line in told] == ["fp32", "pruned", "int8"]
    last = ladder.last
    kit = ladder.kit
    scores = evaluate(last.deployed, ladder.images, kit.problem, kit.recipe)
    assert scores["accuracy"] == ladder.to_dict()["forms"][-1]["accuracy"]
    assert ladder.latency["ms"] == last.latency.ms
    assert ladder.forms[0].seconds == 2.0
    assert ladder.to_dict()["images"] == f"{len(ladder.images)} validation images"


def test_packed_weights_are_as_fast_as_the_form_above() -> None:
    ladder = climbed(quantisation={"method": "weights"})
    one, other = ladder.forms
    assert other.file == PACKED
    assert other.latency is one.latency
    assert other.size_mib == len(other.contents[PACKED]) / 2**20


def test_without_steps_the_trained_network_is_all_there_is_and_nothing_is_told() -> None:
    told: list[str] = []
    ladder = climbed(told)
    assert [form.name for form in ladder.forms] == ["fp32"]
    assert told == []


def test_a_form_is_judged_before_the_next_step_may_change_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def in_place(step: Narrower, compressed: Compressed, kit: StepKit) -> Compressed:
        compressed.network.load_state_dict(
            {name: 0 * tensor for name, tensor in compressed.network.state_dict().items()}
        )
        return copy.copy(compressed)

    plain = climbed()
    monkeypatch.setattr(Narrower, "applied", in_place)
    changed = climbed(pruning={"method": "channels"})
    assert changed.forms[0].scores == plain.forms[0].scores
    assert changed.forms[1].scores != plain.forms[0].scores


def test_a_fine_tuning_that_diverges_is_told_with_what_to_change() -> None:
    with pytest.raises(ExportError, match=r"diverged: the loss is nan.*pruning\.epochs.*lr0="):
        climbed(pruning={"method": "channels", "ratio": 0.6})
