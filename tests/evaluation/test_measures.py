"""Accuracy and latency as one number, and what holds of every measure that is computed."""

from itertools import product
from pathlib import Path

import pytest
from conftest import QUICK, mistakes, problems_of

from evonas import driver, optimise
from evonas.blueprint import Blueprint
from evonas.driver import resume, search
from evonas.driver.preparation import check, set_up
from evonas.errors import RunError, SettingsError
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.measures import MEASURES, Derivation, Measure, measure_scale, mnasnet_reward
from evonas.reports.summary import run_summary, runs_summary
from evonas.runs import Run
from evonas.settings import RewardSettings, Settings, Words
from evonas.space import load_space
from evonas.trial import Assignment, Outcome, Trial

REWARD = ["objectives=mnasnet_reward", "reward.target_ms=80"]


@pytest.mark.parametrize(
    ("alpha", "beta", "accuracy", "latency_ms", "expected"),
    [
        (-0.07, -0.07, 0.75, 80, 0.75),
        (-0.07, -0.07, 75, 160, 75 / 2**0.07),  # the paper: twice as slow is worth five percent
        (0, -1, 0.75, 1, 0.75),
        (0, -1, 0.75, 160, 0.375),
        (-0.5, -2, 0.9, 20, 1.8),
        (-0.5, -2, 0.9, 240, 0.1),
    ],
)
def test_the_formula(
    alpha: float, beta: float, accuracy: float, latency_ms: float, expected: float
) -> None:
    reward = RewardSettings(target_ms=80, alpha=alpha, beta=beta)
    measures = {"accuracy": accuracy, "latency_ms": latency_ms, "macs": 1.0}
    found = mnasnet_reward(measures, Settings(reward=reward))
    assert found == pytest.approx(expected, rel=1e-12)
    assert Settings().reward.model_dump(exclude={"target_ms"}) == {"alpha": -0.07, "beta": -0.07}


def of(outcome: Outcome, settings: Settings) -> float:
    return mnasnet_reward(outcome.measures, settings)


def check_rewards(run: Run, names: set[str]) -> None:
    outcomes = [o for o in outcomes_of(run) if o.status == "complete"]
    assert outcomes
    for outcome in outcomes:
        assert outcome.measures["mnasnet_reward"] == of(outcome, run.settings)
        assert outcome.measures.keys() == names


def outcomes_of(run: Run) -> list[Outcome]:
    return [outcome for _, outcome in run.trials() if outcome]


# Tables


@pytest.fixture
def table(working_folder: Path) -> list[str]:
    """Words for 16 designs: accuracy and latency grow together, two trainings scatter by 0.01."""
    (working_folder / "mine.yaml").write_text("values: {a: {int: [0, 3]}, b: {int: [0, 3]}}\n")
    lines = ["a,b,accuracy,accuracy_s0,accuracy_s1,latency_ms,reward"]
    for a, b in product(range(4), repeat=2):
        accuracy = 0.5 + 0.1 * a + 0.02 * b
        scattered = f"{accuracy - 0.01},{accuracy + 0.01}"
        lines.append(f"{a},{b},{accuracy},{scattered},{20 * 2**a + 10 * b},7")
    (working_folder / "designs.csv").write_text("\n".join(lines) + "\n")
    words = ["space=./mine.yaml", "evaluator=table", "evaluator.path=designs.csv"]
    return [*words, "executor=inline", "display=none", "budget.evaluations=16"]


ALL_THREE = {"accuracy", "latency_ms", "mnasnet_reward"}


def test_a_table_is_searched_for_the_best_reward(table: list[str]) -> None:
    run = search([*table, *REWARD])
    assert len(run.trials()) == 16
    check_rewards(run, ALL_THREE)
    best = max(range(16), key=lambda n: of(run.pair(n)[1], run.settings))
    assert run.records.best == best
    hard = search([*table, *REWARD, "reward.alpha=0", "reward.beta=-1"])
    assert hard.best is not None
    assert hard.best[1].measures["latency_ms"] == 80  # the largest accuracy within the target
    again = resume(hard.folder, ["budget.evaluations=+0"])
    assert again.best == hard.best


def test_the_reward_is_of_the_accuracy_that_was_drawn_and_the_truth_is_kept(
    table: list[str],
) -> None:
    run = search([*table, *REWARD, "evaluator.observed.accuracy=accuracy_s0,accuracy_s1"])
    check_rewards(run, ALL_THREE)
    for outcome in outcomes_of(run):
        truth = outcome.details["truth"]
        latency = {"latency_ms": outcome.measures["latency_ms"]}
        assert truth["mnasnet_reward"] == mnasnet_reward(truth | latency, run.settings)
        assert truth["mnasnet_reward"] != outcome.measures["mnasnet_reward"]


def test_no_truth_is_told_of_what_is_drawn_and_has_none(table: list[str]) -> None:
    write_again("designs.csv", "b,accuracy,", "b,exact,")
    more = ["evaluator.observed.accuracy=accuracy_s0,accuracy_s1"]
    more += ["evaluator.observed.latency_ms=reward,reward"]
    run = search([*table, *REWARD, *more, "budget.evaluations=3"])
    for outcome in outcomes_of(run):
        assert outcome.details["truth"].keys() == {"latency_ms"}


def test_the_reward_can_be_one_objective_of_several_a_constraint_and_a_target(
    table: list[str],
) -> None:
    several = search([*table, "objectives=latency_ms,mnasnet_reward", "reward.target_ms=80"])
    check_rewards(several, ALL_THREE)
    assert len(several.front) > 1
    beside = ["objectives=accuracy,latency_ms", "reward.target_ms=80"]
    limited = search([*table, *beside, "constraints.mnasnet_reward.min=0.72"])
    check_rewards(limited, ALL_THREE)
    rewards = [o.measures["mnasnet_reward"] for o in outcomes_of(limited)]
    assert sum(reward >= 0.72 for reward in rewards) == len(limited.records.feasible)
    assert 0 < len(limited.records.feasible) < 16
    reached = search([*table, *beside, "budget.target.mnasnet_reward.min=0.7"])
    assert reached.facts["ended"] == "target"
    assert reached.records.evaluations < 16
    last = reached.pair(len(reached.trials()) - 1)[1]
    assert last.measures["mnasnet_reward"] >= 0.7


def test_a_limit_on_latency_is_still_free(table: list[str]) -> None:
    run = search([*table, *REWARD, "constraints.latency_ms.max=100", "budget.evaluations=8"])
    assert run.records.counts()["infeasible"] > 0
    for outcome in outcomes_of(run):
        slow = outcome.measures["latency_ms"] > 100
        assert outcome.is_free == slow == ("mnasnet_reward" not in outcome.measures)


def test_a_latency_of_nothing_fails_its_trial_and_no_other(table: list[str]) -> None:
    write_again("designs.csv", ",20,7\n", ",0,7\n")
    run = search([*table, *REWARD])
    (failed,) = [o for o in outcomes_of(run) if o.status == "failed"]
    told = "mnasnet_reward has no value where accuracy is 0.5, latency_ms is 0.0"
    assert failed.error_text == told
    assert run.records.counts()["complete"] == 15


def write_again(file: str, old: str, new: str) -> None:
    Path(file).write_text(Path(file).read_text().replace(old, new))


def test_the_reports_show_all_three(table: list[str]) -> None:
    run = search([*table, *REWARD])
    summary = run_summary(run)
    (objective,) = summary["objectives"]
    assert objective == {"name": "mnasnet_reward", "direction": "maximise", "unit": ""}
    assert list(summary["scales"]) == ["mnasnet_reward", "accuracy", "latency_ms"]
    assert summary["best"]["measures"].keys() == ALL_THREE
    assert runs_summary(run)["best"] == summary["best"]
    assert {f"m:{name}" for name in ALL_THREE} <= run.rows()[0].keys()


# Functions


def measured(blueprint: Blueprint) -> dict[str, float]:
    stages = blueprint.network["stages"]
    channels = sum(stage["channels"] for stage in stages)
    return {"accuracy": 1 - 10 / channels, "latency_ms": 2.0 * channels}


def by_function(name: str, *more: str) -> list[str]:
    words = ["space=nano", "executor=inline", "display=none", "budget.evaluations=18"]
    return [*words, *REWARD, f"run.name={name}", *more]


def test_a_function_gives_what_the_reward_is_made_of() -> None:
    check_rewards(search(by_function("given"), measured), ALL_THREE)
    limited = by_function("limited", "objectives=accuracy", "constraints.mnasnet_reward.max=0.8")
    run = search(limited, measured)
    check_rewards(run, ALL_THREE)
    kept = [t.number for t, o in run.trials() if o and o.measures["mnasnet_reward"] <= 0.8]
    assert sorted(run.records.feasible) == kept
    assert 0 < len(kept) < len(run.trials())
    reached = search(by_function("met", "budget.target.mnasnet_reward.min=0.8"), measured)
    assert reached.facts["ended"] == "target"


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (0.9, "the function gave no accuracy, latency_ms, but 0.9"),
        ({"accuracy": 0.9}, "the function gave no latency_ms, but {'accuracy': 0.9}"),
        (
            {"accuracy": 0.9, "latency_ms": 3, "mnasnet_reward": 0.8},
            "the function gave mnasnet_reward, but evonas computes mnasnet_reward from accuracy "
            "and latency_ms",
        ),
    ],
)
def test_a_function_that_gives_something_else_is_told(given: object, told: str) -> None:
    space, few = {"values": {"x": {"int": [0, 3]}}}, {"evaluations": 1}
    run = optimise(lambda _: given, space, "mnasnet_reward", reward={"target_ms": 9}, budget=few)
    (outcome,) = outcomes_of(run)
    assert (outcome.status, outcome.error_text) == ("failed", told)


# Trainings


def trainer(*more: str) -> Evaluator:
    checked = check(Words([*QUICK, *REWARD, *more]))
    return set_up(checked, Path("none"), checked.facts).evaluator


def test_a_training_gives_all_three_and_the_run_can_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = [*QUICK, *REWARD, "display=none", "executor=inline", "run.name=trained"]
    run = search([*words, "latency.limit_s=0.1", "budget.evaluations=1"])
    names = {*ALL_THREE, "loss", "macs", "parameters"}
    check_rewards(run, names)
    more = resume(run.folder, ["budget.evaluations=+1"])
    assert more.trials()[:1] == run.trials()
    assert len(more.trials()) == 2
    check_rewards(more, names)
    assert run_summary(more)["scales"]["mnasnet_reward"] == "proxy and full"
    with pytest.raises(SettingsError, match="a resume cannot change reward"):
        resume(run.folder, ["reward.target_ms=9"])
    monkeypatch.setattr(driver, "device_fingerprint", lambda runtime, precision: "another")
    with pytest.raises(RunError, match="measured latency on another device"):
        resume(run.folder, ["budget.evaluations=+1"])


def test_its_scales_are_those_of_accuracy_and_latency() -> None:
    assert measure_scale("mnasnet_reward", "full") == "proxy and full"
    assert measure_scale("mnasnet_reward", "proxy") == "proxy"
    assert trainer().scale_of("mnasnet_reward") == "proxy and full"
    assert trainer("measure.scale=proxy").scale_of("mnasnet_reward") == "proxy"


def test_a_design_with_the_training_of_another_has_a_reward_of_its_own() -> None:
    evaluator = trainer()
    assert "mnasnet_reward" not in {*evaluator.taken_by("train"), *evaluator.taken_by("build")}
    assert "latency_ms" in evaluator.taken_by("build")
    known = {"accuracy": 0.5, "loss": 1.0, "latency_ms": 160.0, "macs": 1.0, "parameters": 1.0}
    assert evaluator.is_complete(known)
    outcome = evaluator.checked(Outcome(3, "complete", known, source=1))
    assert outcome.measures == {**known, "mnasnet_reward": 0.5 / 2**0.07}


# Settings


@pytest.mark.parametrize(
    "words",
    [
        ["objectives=mnasnet_reward"],
        ["objectives=accuracy", "constraints.mnasnet_reward.min=0.5"],
        ["objectives=accuracy", "budget.target.mnasnet_reward.min=0.5"],
        ["objectives=mnasnet_reward,accuracy", "reward.alpha=0"],
    ],
)
def test_it_needs_a_target(words: list[str]) -> None:
    assert problems_of(check, Words([*QUICK, *words])) == [
        "mnasnet_reward needs reward.target_ms=NUMBER, the latency in ms to aim at."
    ]


@mistakes("""
reward.target_ms=0
    reward.target_ms=0: input should be greater than 0, got '0'.
reward.alpha=0.1
    reward.alpha=0.1: input should be less than or equal to 0
reward.beta=inf
    reward.beta=inf: input should be
reward.target=3
    reward has no key "target". Did you mean "target_ms"?
objectives=mnasnet_reward:min
    mnasnet_reward is always maximised.
objectives=mnasnet_rewards
    Did you mean "mnasnet_reward"?
objectives=accuracy
    reward.target_ms has no effect: nothing asks for mnasnet_reward. Name that among the
    objectives, or leave reward.target_ms out.
objectives=accuracy reward.beta=-1
    reward.beta has no effect: nothing asks
""")
def test_wrong_words_are_told(wrong: str, told: str) -> None:
    problems = problems_of(check, Words([*QUICK, *REWARD, *wrong.split()]))
    assert any(told in problem for problem in problems)


@mistakes("""
latency_ms => latency
    mnasnet_reward: There is no measure column in designs.csv called "latency_ms"
,reward => ,mnasnet_reward
    designs.csv has a column mnasnet_reward, but evonas computes mnasnet_reward from accuracy and
    latency_ms. Give the column another name.
""")
def test_wrong_tables_are_told(table: list[str], wrong: tuple[str, str], told: str) -> None:
    write_again("designs.csv", *wrong)
    (problem,) = problems_of(search, [*table, *REWARD])
    assert problem.startswith(told)
    assert search([*table, "objectives=accuracy", "budget.evaluations=2"]).best is not None


def test_what_is_computed_is_not_observed(table: list[str]) -> None:
    words = [*table, *REWARD, "evaluator.observed.mnasnet_reward=reward"]
    assert problems_of(search, words) == [
        "evaluator.observed.mnasnet_reward: There is no measure that the search looks up called "
        '"mnasnet_reward". Known: accuracy, latency_ms.'
    ]


# Any measure that is computed


def test_a_limit_on_a_measure_computed_from_counts_costs_no_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    of_counts = Derivation(("macs", "parameters"), lambda known, _: known["macs"] / 2)
    halved = Measure("", "maximise", "count", of_counts)
    monkeypatch.setitem(MEASURES, "halved", halved)  # type: ignore[misc]
    evaluator, space = trainer("constraints.halved.min=1e9"), load_space("nano")
    blueprint = space.decode([0] * len(space.genes))
    counted = evaluator.count(blueprint)
    assert counted.keys() == {"macs", "parameters"}
    refused = evaluator.infeasible(4, counted)
    assert refused is not None
    assert refused.measures["halved"] == counted["macs"] / 2
    assert (refused.error_text or "").startswith("halved is ")
    outcome = evaluator(Assignment(Trial(4, (), blueprint, 0)))
    assert outcome.status == "infeasible"
    assert "accuracy" not in outcome.measures
