"""Compression that no design can be given is refused before anything runs."""

from pathlib import Path

import pytest
from conftest import FIXED, QUICK, problems_of
from small_steps import SMALL_STEPS

from evonas.compression import compress
from evonas.driver.preparation import check
from evonas.settings import Words

GENES = "compression: {quantisation: {method: {choice: [none, int8, weights]}}}\n"
BY_FUNCTION = ["evaluator=python", "evaluator.function=os:getcwd", "objectives=score:max"]


@pytest.fixture(autouse=True)
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compress, "STEPS", SMALL_STEPS)


def checked(*words: str) -> None:
    check(Words([*QUICK, "objectives=accuracy,latency_ms", *words]))


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["compression.quantisation.method=weights", "compression.quantisation.group=1"],
            "Groups of one weight save nothing.",
        ),
        (
            ["compression.distillation.method=logits"],
            "compression.distillation.method=logits: there is no such step. Leave it out.",
        ),
        (
            ["compression.quantisation.method=int8", "latency.runtime=torch"],
            "latency.runtime=torch times torch networks, and what computes in 8 bits is an ONNX "
            "model. Set latency.runtime to one of",
        ),
        (
            ["constraints.map50_95_before.min=0.5"],
            "data=digits is for classification, which has no map50_95_before.",
        ),
        (
            [*BY_FUNCTION, "compression.pruning.method=depth"],
            "compression.pruning has no effect with evaluator=python: nothing is trained.",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(words: list[str], told: str) -> None:
    problems = problems_of(checked, *words)
    assert any(problem.startswith(told) for problem in problems), problems


def test_designs_that_contradict_themselves_are_no_reason_to_refuse_the_others() -> None:
    Path("own.yaml").write_text(FIXED + GENES)
    checked("space=./own.yaml", "compression.quantisation.group=1")


def test_what_is_not_timed_may_compute_in_8_bits_beside_any_runtime() -> None:
    checked(
        "compression.quantisation.method=int8", "latency.runtime=torch", "objectives=accuracy,macs"
    )
