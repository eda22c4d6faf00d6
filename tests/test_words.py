"""Words that cannot be meant, and that reading them changes nothing."""

from pathlib import Path

import pytest

from evonas.driver.preparation import check
from evonas.errors import ExportError, SettingsError
from evonas.evaluation.table import read_table
from evonas.materialise import parse_limits
from evonas.settings import Words

SPACE = "title: numbers\nvalues:\n  a: {float: [0, 1]}\n"
QUICK = ["space=./values.yaml", "evaluator=python", "objectives=v:max"]


@pytest.mark.parametrize("group", ["constraints.accuracy", "constraints.v", "budget.target.v"])
def test_limits_that_exclude_each_other_are_refused(group: str) -> None:
    (problem,) = Words([f"{group}.min=5", f"{group}.max=1"]).problems
    assert problem == (
        f"{group}.min=5: nothing is at least 5 (min) and at most 1 (max). Swap them, or leave one "
        "out."
    )
    assert Words([f"{group}.min=5", f"{group}.max=5"]).problems == []


def test_limits_of_an_export_that_exclude_each_other_are_refused() -> None:
    with pytest.raises((SettingsError, ExportError), match="--where accuracy: nothing is at least"):
        parse_limits("accuracy.min=0.9,accuracy.max=0.1")


@pytest.mark.parametrize(
    "name", ["", "a/b", "..", ".a", "a.", "a ", " a", "a\n", "a\x1b", "-a", "é"]
)
def test_a_name_that_is_no_name_for_a_folder_is_refused(name: str) -> None:
    (problem,) = Words([f"run.name={name}"]).problems
    assert "a name has letters, digits, dots, underscores and hyphens" in problem


def test_a_name_may_have_a_hundred_characters() -> None:
    assert Words([f"run.name={'a' * 100}"]).problems == []
    (problem,) = Words([f"run.name={'a' * 300}"]).problems
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
    (problem,) = Words([word]).problems
    assert problem.startswith(f"{word}: input should be ")


def test_asking_changes_nothing() -> None:
    words = Words(["run.seed=x", "nonsense", "budget.evaluatons=3"])
    first = words.problems
    assert len(first) == 3
    first.append("of the caller's own")
    assert words.settings() == words.settings()
    assert words.problems == first[:3]


@pytest.mark.parametrize("executor", ["inline", "local", "ray"])
def test_a_gpu_that_is_not_there_is_told_before_a_run_is_made(executor: str) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is one")
    Path("values.yaml").write_text(SPACE)
    words = [*QUICK, f"executor={executor}", "executor.gpus_per_trial=1"]
    with pytest.raises(SettingsError) as failure:
        check(Words(words), lambda blueprint: 1.0)
    (problem,) = failure.value.problems
    assert problem.startswith("executor.gpus_per_trial=1.0 asks for a GPU, and torch sees none.")


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
