"""Words that cannot be meant, and that reading them changes nothing."""

import sys
from pathlib import Path

import pytest
from conftest import problems_of, typed

from evonas.driver.limits import check_limits
from evonas.driver.preparation import check
from evonas.errors import ExportError, SettingsError
from evonas.evaluation.measures import Direction
from evonas.evaluation.objectives import Objective
from evonas.evaluation.table import read_table
from evonas.hardware.runtimes import RUNTIMES
from evonas.settings import Words, parse_limits

SPACE = "title: numbers\nvalues:\n  a: {float: [0, 1]}\n"
QUICK = ["space=./values.yaml", "evaluator=python", "objectives=v:max"]


@pytest.mark.parametrize("group", ["constraints.accuracy", "constraints.v", "budget.target.v"])
def test_limits_that_exclude_each_other_are_refused(group: str) -> None:
    (problem,) = Words([f"{group}.min=5", f"{group}.max=1"]).read()[1]
    assert problem == (
        f"{group}.min=5: nothing is at least 5 (min) and at most 1 (max). Swap them, or leave one "
        "out."
    )
    assert Words([f"{group}.min=5", f"{group}.max=5"]).read()[1] == []


def test_limits_of_an_export_that_exclude_each_other_are_refused() -> None:
    with pytest.raises((SettingsError, ExportError), match="--where accuracy: nothing is at least"):
        parse_limits("accuracy.min=0.9,accuracy.max=0.1", "--where")


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".a", "a.", "a ", " a", "a\n", "a\x1b", "-a", "é"]
)
def test_a_name_that_is_no_name_for_a_folder_is_refused(name: str) -> None:
    (problem,) = Words([f"run.name={name}"]).read()[1]
    assert "a name has letters, digits, dots, underscores and hyphens" in problem


def test_a_name_may_have_a_hundred_characters() -> None:
    assert Words([f"run.name={'a' * 100}"]).read()[1] == []
    (problem,) = Words([f"run.name={'a' * 300}"]).read()[1]
    assert "a name has at most 100 characters, this one 300" in problem


@pytest.mark.parametrize(
    "word",
    [
        "executor.workers=0",
        "executor.timeout_s=-1",
        "executor.cpus_per_trial=0",
        "executor.retries=-1",
        "budget.evaluations=0",
        "budget.seconds=0",
        "latency.limit_s=-1",
        "latency.batch=0",
        "latency.runtime=cpu",
    ],
)
def test_amounts_that_cannot_be_are_refused(word: str) -> None:
    (problem,) = Words([word]).read()[1]
    assert problem.startswith(f"{word}: input should be ")


def test_asking_changes_nothing() -> None:
    words = Words(["run.seed=x", "nonsense", "budget.evaluatons=3"])
    settings, problems = words.read()
    assert len(problems) == 3
    problems.append("of the caller's own")
    assert words.read() == (settings, problems[:3])


@pytest.mark.parametrize("executor", ["inline", "local", "ray"])
def test_a_gpu_that_is_not_there_is_told_before_a_run_is_made(
    executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    if "ray" in sys.modules:  # where tests before this one have left a Ray, it knows its GPUs
        monkeypatch.setattr(sys.modules["ray"], "is_initialized", lambda: False)

    if torch.cuda.is_available():
        pytest.skip("there is one")
    Path("values.yaml").write_text(SPACE)
    words = [*QUICK, f"executor={executor}", "executor.gpus_per_trial=1"]
    (problem,) = problems_of(check, Words(words), lambda blueprint: 1.0)
    assert problem.startswith("executor.gpus_per_trial=1.0 asks for a GPU, and torch sees none.")


@pytest.mark.parametrize("runtime", ["cuda", "tensorrt", "onnxruntime-cuda"])
def test_a_runtime_that_is_not_there_is_told_if_a_search_measures_latency(runtime: str) -> None:
    if RUNTIMES[runtime].lack() is None:
        pytest.skip("it is there")
    Path("values.yaml").write_text(SPACE)
    first, *_ = problems_of(check, Words(["space=nano", f"latency.runtime={runtime}"]))
    assert first.startswith(f"latency.runtime={runtime}: it needs ")
    check(Words([*QUICK, f"latency.runtime={runtime}"]), lambda blueprint: 1.0)


def limit_problems(*words: str, evaluator: str = "train") -> list[str]:
    settings = Words([f"evaluator={evaluator}", *words]).read()[0]
    objectives = [objective("accuracy", "maximise"), objective("cost", "minimise")]
    return list(check_limits(settings, objectives))


def objective(name: str, direction: Direction) -> Objective:
    return Objective(name, direction)


@pytest.mark.parametrize("group", ["constraints", "budget.target"])
@pytest.mark.parametrize(
    ("limit", "problem"),
    [
        ("accuracy.min=1.5", "accuracy is never above 1. Lower it."),
        ("loss.max=-1", "loss is never below 0. Raise it."),
        ("latency_ms.max=-0.5", "latency_ms is never below 0. Raise it."),
        ("parameters.max=-3", "parameters is never below 0. Raise it."),
    ],
)
def test_limits_beyond_all_values_of_a_measure_are_told(
    group: str, limit: str, problem: str
) -> None:
    assert limit_problems(f"{group}.{limit}") == [f"{group}.{limit}: {problem}"]


@pytest.mark.parametrize(
    "limit", ["accuracy.min=1", "latency_ms.min=5", "zen.max=-4", "macs.max=0"]
)
def test_limits_at_the_ends_and_of_measures_without_ends_are_taken(limit: str) -> None:
    assert limit_problems(f"constraints.{limit}") == []


@pytest.mark.parametrize("evaluator", ["table", "python"])
def test_others_may_measure_accuracy_in_percent(evaluator: str) -> None:
    assert limit_problems("budget.target.accuracy.min=90", evaluator=evaluator) == []


@pytest.mark.parametrize("evaluator", ["train", "table", "python"])
def test_a_target_that_a_constraint_excludes_is_told_with_both_values(evaluator: str) -> None:
    words = ["budget.target.macs.min=30", "constraints.macs.max=20"]
    assert limit_problems(*words, evaluator=evaluator) == [
        "budget.target.macs.min=30 is out of reach of constraints.macs.max=20. Change one of them."
    ]
    words = ["budget.target.cost.max=2", "constraints.cost.min=3"]
    assert limit_problems(*words, evaluator=evaluator) == [
        "budget.target.cost.max=2 is out of reach of constraints.cost.min=3. Change one of them."
    ]
    assert limit_problems("budget.target.macs.min=20", "constraints.macs.max=20") == []


def test_a_target_that_the_worst_designs_meet_is_told() -> None:
    (problem,) = limit_problems("budget.target.accuracy.max=0.5")
    assert problem.endswith("Write budget.target.accuracy.min=0.5.")
    (problem,) = limit_problems("budget.target.cost.min=9")
    assert problem.endswith("Write budget.target.cost.max=9.")
    assert limit_problems("budget.target.cost.min=1", "budget.target.cost.max=2") == []


def test_a_target_beyond_all_values_ends_a_search_before_its_run() -> None:
    result = typed("search", "space=nano", "budget.target.accuracy.min=1.5")
    assert result.returncode == 2
    assert result.stderr == "budget.target.accuracy.min=1.5: accuracy is never above 1. Lower it.\n"
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("gene", "cell"),
    [
        ("{float: [0, 1]}", "0,95"),
        ("{log: [0.001, 1]}", "9,5e-1"),
        ("{choice: [0.5, 0.95]}", "0,95"),
        ("{int: [0, 3]}", "1,0"),
    ],
)
def test_numbers_with_a_comma_are_told_with_their_line(gene: str, cell: str) -> None:
    Path("values.yaml").write_text(f"title: n\nvalues:\n  a: {gene}\n")
    Path("t.csv").write_text(f"a;v\n{cell};1\n")
    words = ["space=./values.yaml", "evaluator=table", "evaluator.path=t.csv", "objectives=v:max"]
    result = typed("search", *words)
    assert result.returncode == 2
    told = f"t.csv, a (line 2): {cell} is not a finite number. Numbers are written with a point, "
    assert result.stderr.startswith(f"{told}as in {cell.replace(',', '.')}, so values has no ")


@pytest.mark.parametrize("cell", ["0,95", "-1,5", ",5", "1,5e3"])
def test_measures_with_a_comma_are_told_with_their_line(cell: str) -> None:
    Path("t.csv").write_text(f"a;v\n1;0.5\n2;{cell}\n")
    assert problems_of(read_table(Path("t.csv")).numbers, "v") == [
        f"t.csv, v (line 3): {cell} is not a finite number. Numbers are written with a point, as "
        f"in {cell.replace(',', '.')}."
    ]


ROWS = [["edge", "name", "acc"], ["1", "a,b;c", "0.5"], ["2", "d", "0.75"]]


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r\n\r\n  \r\n"])
def test_tables_are_read_as_spreadsheets_write_them(
    separator: str, encoding: str, end: str
) -> None:
    lines = [separator.join(f'"{cell}"' if "," in cell else cell for cell in row) for row in ROWS]
    path = Path("designs.csv")
    path.write_bytes((end.join(lines) + end).encode(encoding))
    table = read_table(path)
    assert table.columns == {"edge": ("1", "2"), "name": ("a,b;c", "d"), "acc": ("0.5", "0.75")}
    assert table.numbers("acc") == (0.5, 0.75)
