"""Accuracy and latency as one number, and what holds of every measure that is computed."""

from itertools import product
from pathlib import Path

import pytest
from conftest import QUICK

from evonas import driver, optimise
from evonas.blueprint import Blueprint
from evonas.driver import resume, search
from evonas.driver.preparation import check, set_up
from evonas.errors import RunError, SettingsError
from evonas.evaluation.evaluator import Evaluator
from evonas.evaluation.measures import MEASURES, Derivation, Measure, measure_scale, mnasnet_reward
from evonas.reports.summary import run_summary, runs_summary
from evonas.runs import Run, load_run
from evonas.settings import RewardSettings, Settings, Words
from evonas.trial import Assignment, Outcome, Trial

REWARD = ["objectives=mnasnet_reward", "reward.target_ms=80"]
HARD = RewardSettings(target_ms=80, alpha=0, beta=-1)
SOFT = RewardSettings(target_ms=80)


@pytest.mark.parametrize(
    ("reward", "accuracy", "latency_ms", "expected"),
    [
        (SOFT, 0.75, 80, 0.75),
        (SOFT, 0.75, 40, 0.75 * 2**0.07),
        (SOFT, 0.75, 160, 0.75 / 2**0.07),
        (SOFT, 75, 160, 75 / 2**0.07),
        (HARD, 0.75, 80, 0.75),
        (HARD, 0.75, 1, 0.75),
        (HARD, 0.75, 160, 0.375),
        (RewardSettings(target_ms=10, alpha=-0.5, beta=-2), 0.9, 2.5, 1.8),
        (RewardSettings(target_ms=10, alpha=-0.5, beta=-2), 0.9, 30, 0.1),
    ],
)
def test_the_formula(
    reward: RewardSettings, accuracy: float, latency_ms: float, expected: float
) -> None:
    measures = {"accuracy": accuracy, "latency_ms": latency_ms, "macs": 1.0}
    found = mnasnet_reward(measures, Settings(reward=reward))
    assert found == pytest.approx(expected, rel=1e-12)


def test_twice_the_latency_is_worth_five_percent_as_in_the_paper() -> None:
    settings = Settings(reward=SOFT)
    slow = mnasnet_reward({"accuracy": 0.7 * 1.05, "latency_ms": 180}, settings)
    fast = mnasnet_reward({"accuracy": 0.7, "latency_ms": 90}, settings)
    assert slow == pytest.approx(fast, rel=1e-3)


def of(outcome: Outcome, settings: Settings) -> float:
    return mnasnet_reward(outcome.measures, settings)


def check_rewards(run: Run, names: set[str]) -> None:
    complete = [o for _, o in run.trials() if o and o.status == "complete"]
    assert complete
    for outcome in complete:
        assert outcome.measures["mnasnet_reward"] == of(outcome, run.settings)
        assert outcome.measures.keys() == names


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
    for _, outcome in run.trials():
        assert outcome is not None
        truth = outcome.details["truth"]
        latency = {"latency_ms": outcome.measures["latency_ms"]}
        assert truth["mnasnet_reward"] == mnasnet_reward(truth | latency, run.settings)
        assert truth["mnasnet_reward"] != outcome.measures["mnasnet_reward"]


def test_no_truth_is_told_of_what_is_drawn_and_has_none(table: list[str]) -> None:
    text = Path("designs.csv").read_text().replace("accuracy,", "exact,", 1)
    Path("designs.csv").write_text(text)
    more = ["evaluator.observed.accuracy=accuracy_s0,accuracy_s1"]
    more += ["evaluator.observed.latency_ms=reward,reward"]
    run = search([*table, *REWARD, *more, "budget.evaluations=3"])
    for _, outcome in run.trials():
        assert outcome is not None
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
    rewards = [o.measures["mnasnet_reward"] for _, o in limited.trials() if o]
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
    for _, outcome in run.trials():
        assert outcome is not None
        slow = outcome.measures["latency_ms"] > 100
        assert outcome.is_free == slow == ("mnasnet_reward" not in outcome.measures)


def test_a_latency_of_nothing_fails_its_trial_and_no_other(table: list[str]) -> None:
    text = Path("designs.csv").read_text().replace(",20,7\n", ",0,7\n")
    Path("designs.csv").write_text(text)
    run = search([*table, *REWARD])
    (failed,) = [o for _, o in run.trials() if o and o.status == "failed"]
    assert (
        failed.error_text == "mnasnet_reward has no value where accuracy is 0.5, latency_ms is 0.0"
    )
    assert run.records.counts()["complete"] == 15


def test_the_reports_show_all_three(table: list[str]) -> None:
    run = search([*table, *REWARD])
    summary = run_summary(run)
    assert summary["objectives"] == [
        {"name": "mnasnet_reward", "direction": "maximise", "unit": ""}
    ]
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


def test_values_are_optimised_for_it() -> None:
    def fitness(values: dict[str, float]) -> dict[str, float]:
        return {"accuracy": values["x"], "latency_ms": 100 * values["x"]}

    space = {"values": {"x": {"float": [0.1, 1]}}}
    hard = {"target_ms": 50, "alpha": 0, "beta": -2}
    run = optimise(fitness, space, "mnasnet_reward", reward=hard, budget={"evaluations": 40})
    assert run.best is not None
    assert run.best[1].measures["latency_ms"] == pytest.approx(50, abs=4)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (0.9, "the function gave no accuracy, latency_ms, but 0.9"),
        ({"accuracy": 0.9}, "the function gave no latency_ms, but {'accuracy': 0.9}"),
        (
            {"accuracy": 0.9, "latency_ms": 3, "mnasnet_reward": 0.8},
            "the function gave mnasnet_reward, but evonas computes mnasnet_reward from accuracy "
            "and latency_ms",
        ),
        (
            {"accuracy": 0.9, "latency_ms": -3},
            "mnasnet_reward has no value where accuracy is 0.9, latency_ms is -3.0",
        ),
    ],
)
def test_a_function_that_gives_something_else_is_told(given: object, text: str) -> None:
    space = {"values": {"x": {"int": [0, 3]}}}
    few = {"evaluations": 1}
    run = optimise(lambda _: given, space, "mnasnet_reward", reward={"target_ms": 9}, budget=few)
    outcome = run.pair(0)[1]
    assert (outcome.status, outcome.error_text) == ("failed", text)


def test_stopping_and_resuming_equals_not_stopping() -> None:
    whole = search(by_function("whole"), measured)
    calls = 0

    def interrupted(blueprint: Blueprint) -> dict[str, float]:
        nonlocal calls
        calls += 1
        if calls % 5 == 0:
            raise KeyboardInterrupt
        return measured(blueprint)

    with pytest.raises(KeyboardInterrupt):
        search(by_function("parts"), interrupted)
    while load_run("runs/parts").status != "finished":
        try:
            resume(Path("runs/parts"), (), interrupted)
        except KeyboardInterrupt:
            continue
    found = [
        [(t.chromosome, o and o.measures) for t, o in run.trials()]
        for run in (whole, load_run("runs/parts"))
    ]
    assert found[0] == found[1]


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
    with pytest.raises(SettingsError) as failure:
        check(Words([*QUICK, *words]))
    assert failure.value.problems == [
        "mnasnet_reward needs reward.target_ms=NUMBER, the latency in ms to aim at."
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reward.target_ms=0"], "reward.target_ms=0: input should be greater than 0, got '0'."),
        (["reward.alpha=0.1"], "reward.alpha=0.1: input should be less than or equal to 0"),
        (["reward.beta=inf"], "reward.beta=inf: input should be "),
        (["reward.target=3"], 'reward has no key "target". Did you mean "target_ms"?'),
        (["objectives=mnasnet_reward:min"], "mnasnet_reward is always maximised."),
        (["objectives=mnasnet_rewards"], 'Did you mean "mnasnet_reward"?'),
        (
            ["objectives=accuracy"],
            "reward.target_ms has no effect: nothing asks for mnasnet_reward. Name that among the "
            "objectives, or leave reward.target_ms out.",
        ),
        (["objectives=accuracy", "reward.beta=-1"], "reward.beta has no effect: nothing asks"),
    ],
)
def test_wrong_words_are_told(words: list[str], message: str) -> None:
    with pytest.raises(SettingsError) as failure:
        check(Words([*QUICK, *REWARD, *words]))
    assert any(message in problem for problem in failure.value.problems)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "latency_ms",
            "latency",
            'mnasnet_reward: There is no measure column in designs.csv called "latency_ms"',
        ),
        (
            ",reward",
            ",mnasnet_reward",
            "designs.csv has a column mnasnet_reward, but evonas computes mnasnet_reward from "
            "accuracy and latency_ms. Give the column another name.",
        ),
    ],
)
def test_wrong_tables_are_told(table: list[str], old: str, new: str, message: str) -> None:
    Path("designs.csv").write_text(Path("designs.csv").read_text().replace(old, new))
    with pytest.raises(SettingsError) as failure:
        search([*table, *REWARD])
    (problem,) = failure.value.problems
    assert problem.startswith(message)
    assert search([*table, "objectives=accuracy", "budget.evaluations=2"]).best is not None


def test_what_is_computed_is_not_observed(table: list[str]) -> None:
    with pytest.raises(SettingsError) as failure:
        search([*table, *REWARD, "evaluator.observed.mnasnet_reward=reward"])
    assert failure.value.problems == [
        "evaluator.observed.mnasnet_reward: There is no measure that the search looks up called "
        '"mnasnet_reward". Known: accuracy, latency_ms.'
    ]


# Any measure that is computed


def test_a_limit_on_a_measure_computed_from_counts_costs_no_training(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    derivation = Derivation(
        ("macs", "parameters"), lambda found, _: found["macs"] / found["parameters"]
    )
    density = Measure("", "maximise", "count", derivation)
    monkeypatch.setitem(MEASURES, "density", density)  # type: ignore[misc]
    evaluator = trainer("constraints.density.min=1e9")
    blueprint = check(Words(QUICK)).space.decode([0] * len(check(Words(QUICK)).space.genes))
    counted = evaluator.count(blueprint)
    assert counted.keys() == {"macs", "parameters"}
    refused = evaluator.infeasible(4, counted)
    assert refused is not None
    assert refused.measures["density"] == counted["macs"] / counted["parameters"]
    assert (refused.error_text or "").startswith("density is ")
    outcome = evaluator(Assignment(Trial(4, (), blueprint, 0)))
    assert outcome.status == "infeasible"
    assert "accuracy" not in outcome.measures
