"""Any Python function over any space, without a trace on the disk."""

import math
from pathlib import Path
from typing import Any

import pytest

import evonas
from evonas.blueprint import Blueprint
from evonas.delivery.export import export
from evonas.errors import EvonasError, ExportError, RunError

SPACE = {
    "values": {
        "x": {"float": [-1, 1]},
        "deep": {"rate": {"log": [0.001, 1]}, "fixed": 7, "list": [{"int": [1, 3]}, "word"]},
        "kind": {"choice": ["a", "b"]},
        "more": {"int": [1, 4], "when": {"kind": "b"}},
    }
}


def bowl(values: dict[str, Any]) -> float:
    return float(-(values["x"] ** 2) - math.log10(values["deep"]["rate"]) ** 2)


def test_a_function_of_plain_values_is_searched_and_leaves_no_files(working_folder: Path) -> None:
    run = evonas.optimise(bowl, SPACE, budget={"evaluations": 80}, run={"seed": 3})
    assert run.best is not None
    trial, outcome = run.best
    assert outcome.measures["fitness"] == bowl(dict(trial.blueprint.values)) > -0.5
    assert run.front == [run.best]
    assert len(run.trials()) == 80
    assert (run.status, run.facts["ended"]) == ("finished", "evaluations")
    assert list(working_folder.iterdir()) == []


def test_the_function_gets_nested_values_without_inactive_genes() -> None:
    seen: list[dict[str, Any]] = []

    def look(values: dict[str, Any]) -> float:
        seen.append(values)
        values["deep"]["list"].append("mine")  # it may do with them as it likes
        return 0.0

    run = evonas.optimise(look, SPACE, budget={"evaluations": 20})
    assert {values["kind"] for values in seen} == {"a", "b"}
    for values in seen:
        assert ("more" in values) == (values["kind"] == "b")
        assert values["deep"]["fixed"] == 7
        assert values["deep"]["list"][1:] == ["word", "mine"]
    assert all("mine" not in t.blueprint.values["deep"]["list"] for t, _ in run.trials())


def test_mappings_of_measures_give_a_front_and_constraints_hold() -> None:
    def two(values: dict[str, float]) -> dict[str, float]:
        return {"gain": values["x"], "cost": values["x"] ** 2, "extra": 1.0}

    space = {"values": {"x": {"float": [0, 1]}}}
    run = evonas.optimise(
        two, space, "gain:max,cost:min", constraints={"cost": {"max": 0.5}}, budget=_few(30)
    )
    assert len(run.front) > 5
    assert all(outcome.measures["cost"] <= 0.5 for _, outcome in run.front)
    assert all(outcome.measures["extra"] == 1 for _, outcome in run.front)


def _few(evaluations: int) -> dict[str, int]:
    return {"evaluations": evaluations}


def test_a_space_of_networks_gives_blueprints_by_name_and_by_path() -> None:
    def width(blueprint: Blueprint) -> float:
        return float(blueprint.network["stages"][0]["channels"])

    for space in ("nano", Path(evonas.__file__).parents[1] / "search_spaces" / "nano.yaml"):
        run = evonas.optimise(width, space, "width:max", budget=_few(5))
        assert run.best is not None
        assert run.scales[0].resolution_px == 16


def test_a_space_of_values_and_training_gives_blueprints() -> None:
    def both(blueprint: Blueprint) -> float:
        return float(blueprint.values["x"] + blueprint.training["lr0"])

    space = {"values": {"x": {"int": [0, 3]}}, "training": {"lr0": {"choice": [0.1, 0.2]}}}
    run = evonas.optimise(both, space, budget=_few(8))
    assert run.best is not None
    assert run.best[1].measures["fitness"] == pytest.approx(3.2)


@pytest.mark.parametrize(
    ("given", "kind", "text"),
    [
        (None, "error", "fitness is None, which is not a number"),
        ("0.9", "error", "fitness is '0.9', which is not a number"),
        ([1.0, 2.0], "error", "fitness is [1.0, 2.0], which is not a number"),
        ({"fitnes": 1.0}, "error", "the function gave no fitness, but {'fitnes': 1.0}"),
        ({"fitness": 1.0, "more": "x"}, "error", "more is 'x', which is not a number"),
        (math.nan, "diverged", "fitness is nan"),
        ({"fitness": 1.0, "more": math.inf}, "diverged", "more is inf"),
        (10**400, "error", "which is not a number"),
        (RuntimeError("no luck"), "error", "RuntimeError: no luck"),
        (SystemExit(3), "error", "the function wanted to exit: SystemExit(3)"),
        (ValueError(""), "error", "ValueError"),
    ],
)
def test_whatever_the_function_gives_the_search_goes_on(given: Any, kind: str, text: str) -> None:
    def function(values: dict[str, Any]) -> Any:
        if values["kind"] == "a":
            return 1.0
        if isinstance(given, BaseException):
            raise given
        return given

    run = evonas.optimise(function, SPACE, budget=_few(16), display="plain")
    failed = [outcome for _, outcome in run.trials() if outcome and outcome.status == "failed"]
    assert 0 < len(failed) < 16
    assert {outcome.error_kind for outcome in failed} == {kind}
    assert text in (failed[0].error_text or "")
    assert run.best is not None


def test_an_objective_whose_name_is_known_is_still_the_functions() -> None:
    run = evonas.optimise(lambda values: 5.0, SPACE, "latency_ms", budget=_few(3))
    assert run.best is not None
    assert run.best[1].measures == {"latency_ms": 5.0}


@pytest.mark.parametrize(
    ("space", "settings", "messages"),
    [
        ({"values": {"x": {"float": [1, 1]}}}, {}, ["space, values.x.float: [1, 1] is empty"]),
        ({"valus": {"x": {"int": [1, 2]}}}, {}, ["space, valus: there is no such section. Did"]),
        ({"values": {}}, {}, ["space, values: this section is empty"]),
        ({"values": {"x": {1, 2}}}, {}, ["space, values.x: {1, 2} is of type set"]),
        ({"training": {"lr0": 0.1}}, {}, ["no section network and no section values"]),
        ("nanno", {}, ['no space called "nanno". Did you mean "nano"?']),
        (SPACE, {"objectives": "score"}, ["score has no direction", "score:max or score:min"]),
        (SPACE, {"budgt": {"x": 1}, "run": {"seed": -1}}, ["budgt", "run.seed: input should be"]),
        (SPACE, {"executor": "inlin"}, ['Did you mean "inline"?']),
        (SPACE, {"evolver": {"start": ["mobilenet_v2"]}}, ["space cannot express mobilenet_v2"]),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    space: Any, settings: dict[str, Any], messages: list[str]
) -> None:
    def never(values: Any) -> float:
        raise AssertionError("called")

    with pytest.raises(EvonasError) as failure:
        evonas.optimise(never, space, **settings)
    for message in messages:
        assert message in str(failure.value)


def test_what_has_no_network_cannot_be_built_or_exported() -> None:
    run = evonas.optimise(bowl, SPACE, budget=_few(3))
    with pytest.raises(ExportError, match="searched values, not networks"):
        export(run, Path("model"))
    with pytest.raises(RunError, match="it has no scales"):
        _ = run.scales


def four(values: dict[str, Any]) -> dict[str, float]:
    x = values["x"]
    return {"a": x, "b": -x, "c": (x - 0.5) ** 2, "d": abs(x)}


def test_more_than_three_objectives_are_selected_by_reference_points() -> None:
    space = {"values": {"x": {"float": [-1, 1]}}}
    several = ["a:max", "b:max", "c:min", "d:min"]

    def selection(objectives: list[str], **own: Any) -> str:
        run = evonas.optimise(four, space, objectives, budget={"evaluations": 24}, evolver=own)
        assert len(run.records.feasible) == 24
        return run.settings.evolver.selection

    assert selection(several) == "tournament_nsga3"
    assert selection(several[:3]) == "tournament_nsga2"
    assert selection(several, selection="nsga2") == "nsga2"
    assert selection(several, surrogate=False) == "tournament_nsga3"


def test_a_measure_beside_the_objectives_can_be_a_target_or_a_constraint() -> None:
    def fitness(values: dict[str, Any]) -> dict[str, float]:
        return {"loss": (values["x"] - 0.3) ** 2, "right": float(abs(values["x"] - 0.3) < 0.05)}

    space = {"values": {"x": {"float": [-1, 1]}}}
    run = evonas.optimise(fitness, space, "loss:min", budget={"target": {"right": {"min": 1}}})
    assert run.facts["ended"] == "target"
    run = evonas.optimise(
        fitness, space, "loss:min", constraints={"right": {"min": 1}}, budget={"evaluations": 40}
    )
    assert run.best is not None
    assert run.best[1].measures["right"] == 1
    assert 0 < len(run.records.feasible) < 40


def test_a_measure_that_the_function_never_gives_fails_the_trials() -> None:
    space = {"values": {"x": {"float": [-1, 1]}}}
    unknown = {"acuracy": {"min": 1}}
    run = evonas.optimise(lambda v: v["x"], space, constraints=unknown, budget=_few(3))
    assert run.records.counts()["failed"] == 3
    assert all("acuracy" in (outcome.error_text or "") for _, outcome in run.trials() if outcome)
