"""Looking designs up instead of training them: columns, noise, keys, and mistakes in files."""

import gzip
import json
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import problems_of, typed

from evonas.blueprint import Blueprint
from evonas.driver import resume, search
from evonas.driver.preparation import check, set_up
from evonas.errors import RunError, SettingsError
from evonas.evaluation.table_evaluator import TableEvaluator
from evonas.settings import Words
from evonas.trial import Assignment, Trial

SPACE = """\
values:
  size: {choice: [8, 16]}
  rate: {choice: [0.5, 0.001]}
  kind: {choice: [a, b]}
  deep: {flag: {choice: [true, false]}}
"""
HEAD = "size,rate,kind,flag,accuracy_s0,accuracy_s1,accuracy,latency_ms,macs,note,seconds"


def rows() -> Iterator[list[str]]:
    """One for each design but the last: accuracy grows by line, columns differ by seed."""
    designs = list(product(["8", "16.0"], ["0.50", "1e-3"], ["a", "b"], ["true", "False"]))
    for n, design in enumerate(designs[:-1]):
        yield [*design, f"{n}.25", f"{n}.75", f"{n}.5", str(100 - n), str(n), "word", str(10 * n)]


def write(lines: list[list[str]], head: str = HEAD, name: str = "designs.csv") -> Path:
    text = "\n".join([head, *(",".join(line) for line in lines)]) + "\n"
    path = Path(name)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.fixture(autouse=True)
def files(working_folder: Path) -> None:
    (working_folder / "mine.yaml").write_text(SPACE)
    write(list(rows()))


def words(*more: str, path: str = "designs.csv") -> list[str]:
    table = ["space=./mine.yaml", "evaluator=table", f"evaluator.path={path}"]
    return [*table, "executor=inline", "display=none", *more]


def evaluator(*more: str, path: str = "designs.csv") -> TableEvaluator:
    checked = check(Words(words(*more, path=path)))
    found = set_up(checked, Path("none"), checked.facts).evaluator
    assert isinstance(found, TableEvaluator)
    return found


def design(size: int, rate: float, kind: str, flag: bool) -> Blueprint:
    return Blueprint({}, values={"size": size, "rate": rate, "kind": kind, "deep": {"flag": flag}})


def trial(blueprint: Blueprint, seed: int = 0) -> Assignment:
    return Assignment(Trial(7, (), blueprint, seed))


def problems(*more: str, path: str = "designs.csv") -> list[str]:
    told = problems_of(search, words(*more, path=path))
    assert not Path("runs").exists()
    return told


@pytest.mark.parametrize("name", ["designs.csv", "zipped.csv.gz"])
def test_every_row_is_found_by_its_design(name: str) -> None:
    write(list(rows()), name=name)
    look_up = evaluator("objectives=accuracy,latency_ms:min,seconds:max", path=name)
    designs = list(product([8, 16], [0.5, 0.001], ["a", "b"], [True, False]))
    for number, chosen in enumerate(designs[:-1]):
        outcome = look_up(trial(design(*chosen)))
        assert (outcome.number, outcome.status) == (7, "complete")
        assert outcome.measures == {
            "accuracy": number + 0.5,
            "latency_ms": 100 - number,
            "seconds": 10 * number,
        }
        assert outcome.details == {"line": number + 2}
        assert look_up.training_key(design(*chosen)) == f"line {number + 2}"


def test_a_design_that_is_not_there_is_infeasible_and_free() -> None:
    look_up = evaluator("objectives=accuracy")
    outcome = look_up(trial(design(16, 0.001, "b", False)))
    assert (outcome.status, outcome.is_free, dict(outcome.measures)) == ("infeasible", True, {})
    text = outcome.error_text or ""
    assert "designs.csv has no row for values.size=16, values.rate=0.001, values.kind=b" in text
    run = search(words("objectives=accuracy", "budget.evaluations=15"))
    assert run.records.evaluations == 15
    assert run.records.counts()["infeasible"] <= 1
    assert run.best is not None
    assert run.best[1].measures == {"accuracy": 14.5}


def test_the_seed_draws_the_column_that_the_search_sees() -> None:
    look_up = evaluator(
        "objectives=accuracy,seconds:min",
        "evaluator.observed.accuracy=accuracy_s0,accuracy_s1",
        "evaluator.observed.seconds=accuracy_s0,accuracy_s1",
    )
    seen = []
    for seed in range(400):
        outcome = look_up(trial(design(8, 0.5, "a", False), seed))
        seen.append(outcome.measures["accuracy"])
        assert outcome == look_up(trial(design(8, 0.5, "a", False), seed))
        assert outcome.measures["seconds"] == outcome.measures["accuracy"]  # the same training
        assert outcome.details["truth"]["accuracy"] == 1.5
        drawn = outcome.details["drawn"]["accuracy"]
        assert outcome.measures["accuracy"] == {"accuracy_s0": 1.25, "accuracy_s1": 1.75}[drawn]
    assert abs(np.mean(seen) - 1.5) < 0.04, "noise is fair over seeds"


CELLS = "edge_01,edge_02,edge_12,edge_03,edge_13,edge_23,accuracy,latency_ms"


def test_designs_of_one_function_have_their_own_rows() -> None:
    edges = ["none,none,none,conv_1x1,none,none", "skip_connect,none,none,conv_1x1,none,none"]
    write([[edges[0], "1", "10"], [edges[1], "2", "20"]], CELLS)
    given = ["evaluator=table", "evaluator.path=designs.csv", "objectives=accuracy,latency_ms"]
    checked = check(Words(["space=nas_bench_201", *given]))
    look_up = set_up(checked, Path("none"), checked.facts).evaluator
    kinds = ["none", "skip_connect", "conv_1x1", "conv_3x3", "avg_pool_3x3"]
    numbers = [[float(kinds.index(name)) for name in row.split(",")] for row in edges]
    first, second = (checked.space.decode(own) for own in numbers)
    assert first.fingerprint == second.fingerprint
    assert look_up.training_key(first) != look_up.training_key(second)
    assert look_up.building_key(first) != look_up.building_key(second)
    assert look_up(trial(first)).measures == {"accuracy": 1, "latency_ms": 10}
    assert look_up(trial(second)).measures == {"accuracy": 2, "latency_ms": 20}


def test_constraints_on_what_is_known_beforehand_are_free_and_others_are_not() -> None:
    limits = ["constraints.macs.max=7", "constraints.seconds.max=70"]
    look_up = evaluator("objectives=accuracy", *limits)
    counted = look_up.count(design(16, 0.5, "a", True))
    assert counted == {"macs": 8}
    refused = look_up.infeasible(3, counted)
    assert refused is not None
    assert refused.error_text == "macs is 8, at most 7 is asked"
    assert look_up.count(design(16, 0.001, "b", False)) == {}
    run = search(words("objectives=accuracy", "constraints.macs.max=9", "budget.evaluations=10"))
    assert run.records.evaluations == 10
    assert run.best is not None
    assert run.best[1].measures == {"accuracy": 9.5, "macs": 9}


def test_a_column_gives_durations() -> None:
    given = ["executor=virtual", "executor.workers=2", "evaluator.duration=seconds"]
    free = ["executor.charge_proposals=false", "budget.evaluations=15", "budget.seconds=100000"]
    run = search(words("objectives=accuracy", *given, *free))
    for _, outcome in run.trials():
        assert outcome is not None
        expected = 10 * (outcome.measures["accuracy"] - 0.5) if outcome.measures else 0
        assert outcome.seconds == outcome.busy_seconds == expected
    assert run.utilisation is not None
    assert 0.5 <= run.utilisation <= 1
    assert run.seconds == pytest.approx(1050 / 2 / run.utilisation)


def test_inactive_genes_have_empty_cells_or_any() -> None:
    Path("mine.yaml").write_text(
        "values:\n  kind: {choice: [a, b]}\n  power: {int: [1, 2], when: {kind: b}}\n"
    )
    write([["a", "", "1"], ["b", "1", "2"], ["b", "2", "3"]], "kind,power,score")
    look_up = evaluator("objectives=score:max")
    assert look_up(trial(Blueprint({}, values={"kind": "a"}))).measures == {"score": 1}
    assert look_up(trial(Blueprint({}, values={"kind": "b", "power": 2}))).measures == {"score": 3}
    write([["a", "2", "1"], ["b", "1", "2"]], "kind,power,score")
    look_up = evaluator("objectives=score:max")
    assert look_up(trial(Blueprint({}, values={"kind": "a"}))).measures == {"score": 1}
    write([["a", "", "1"], ["b", "", "2"]], "kind,power,score")
    assert problems("objectives=score:max") == [
        "designs.csv, power (line 3): an empty cell, and this gene is active here. Write its "
        "allele."
    ]


def test_numbers_of_ranges_are_found_too() -> None:
    Path("mine.yaml").write_text("values: {n: {int: [1, 9]}, lr: {log: [0.001, 1]}}\n")
    write([["3", "0.05", "1"], ["4.0", "1e-3", "2"]], "n,lr,score")
    look_up = evaluator("objectives=score:max")
    assert look_up(trial(Blueprint({}, values={"n": 4, "lr": 0.001}))).measures == {"score": 2}
    assert look_up(trial(Blueprint({}, values={"n": 3, "lr": 0.06}))).status == "infeasible"


def test_five_thousand_look_ups_a_second() -> None:
    look_up = evaluator(
        "objectives=accuracy", "evaluator.observed.accuracy=accuracy_s0,accuracy_s1"
    )
    trials = [trial(design(8, 0.5, "a", True), seed) for seed in range(500)]
    fastest = min(_seconds(look_up, trials) for _ in range(5))
    assert len(trials) / fastest > 5000


def _seconds(look_up: TableEvaluator, trials: list[Trial]) -> float:
    start = time.perf_counter()
    for each in trials:
        look_up(each)
    return time.perf_counter() - start


def test_the_table_has_to_be_the_same_on_resume() -> None:
    run = search(words("objectives=accuracy", "budget.evaluations=4"))
    assert resume(run.folder, ["budget.evaluations=+2"]).records.evaluations == 6
    write(list(rows())[:-1])
    with pytest.raises(RunError, match=r"was made with another table in .*designs.csv"):
        resume(run.folder, ["budget.evaluations=+2"])


def changed(row: int, column: str, cell: str) -> None:
    lines = list(rows())
    lines[row][HEAD.split(",").index(column)] = cell
    write(lines)


@pytest.mark.parametrize(
    ("row", "column", "cell", "message"),
    [
        (0, "accuracy", "nan", "designs.csv, accuracy (line 2): nan is not a finite number."),
        (3, "accuracy", "-inf", "designs.csv, accuracy (line 5): -inf is not a finite number."),
        (3, "accuracy", "", "designs.csv, accuracy (line 5): an empty cell is not a finite"),
        (3, "accuracy", "high", "designs.csv, accuracy (line 5): high is not a finite number."),
        (4, "kind", "c", "designs.csv, kind (line 6): c is not one of a, b, so mine has no such"),
        (4, "size", "9", "designs.csv, size (line 6): 9 is not one of 8, 16"),
        (4, "size", "", "designs.csv, size (line 6): an empty cell is no allele"),
        (4, "flag", "yes", "designs.csv, flag (line 6): yes is not one of True, False"),
        (1, "flag", "true", "designs.csv (line 3): the same design as in line 2. Keep one."),
    ],
)
def test_wrong_cells_are_told_with_their_lines(
    row: int, column: str, cell: str, message: str
) -> None:
    changed(row, column, cell)
    (problem,) = problems("objectives=accuracy")
    assert problem.startswith(message)


def test_cells_that_are_not_used_may_hold_anything() -> None:
    changed(0, "accuracy_s0", "nan")
    assert evaluator("objectives=accuracy")(trial(design(8, 0.5, "a", True))).status == "complete"


def test_many_wrong_cells_are_counted() -> None:
    write([["8" if n else "7", *row[1:]] for n, row in enumerate(rows())])
    assert len(problems("objectives=accuracy")) == 1
    write([["7", *row[1:]] for row in rows()])
    found = problems("objectives=accuracy")
    assert len(found) == 6
    assert found[-1] == "designs.csv, size: the same in 10 more lines."


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["objectives=acuracy:max"], 'column in designs.csv called "acuracy". Did you mean "acc'),
        (["objectives=score"], "score has no direction. Write score:max or score:min."),
        (["objectives=accuracy:min"], "accuracy is always maximised"),
        (["objectives=kind:max"], 'no measure column in designs.csv called "kind"'),
        (["objectives=note:max"], "designs.csv, note (line 2): word is not a finite number."),
        (["constraints.mac.max=3"], 'no measure called "mac". Did you mean "macs"?'),
        (["evaluator.observed.accuracy=accuracy_s0,accuracy_s7"], 'called "accuracy_s7". Did you'),
        (["evaluator.observed.acuracy=accuracy_s0"], 'called "acuracy". Did you mean "accuracy"?'),
        (["evaluator.observed.accuracy="], "observed.accuracy=: value should have at least 1 item"),
        (["evaluator.duration=second", "executor=virtual"], 'called "second". Did you mean "sec'),
        (["evaluator.duration=seconds"], "need executor=virtual, got executor=inline"),
        (["evaluator=train"], "evaluator.path is for evaluator=table"),
        (["evaluator=tabel"], 'no evaluator called "tabel". Did you mean "table"?'),
    ],
)
def test_wrong_words_are_told(more: list[str], message: str) -> None:
    assert any(message in problem for problem in problems("objectives=accuracy", *more))


def test_negative_durations_are_told() -> None:
    changed(5, "seconds", "-1")
    found = problems("objectives=accuracy", "executor=virtual", "evaluator.duration=seconds")
    assert found[0].startswith("designs.csv, seconds (line 7): -1 is no duration.")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is empty. Write the names of the columns in its first line"),
        (HEAD.encode(), "is empty."),
        (b"a,b\n1,2,3\n", "bad.csv (line 2): 3 cells, the first line names 2 columns."),
        (b"a,b,a\n1,2,3\n", 'bad.csv (line 1): the column "a" stands there twice.'),
        (b'a,b\n1,"2\n', "bad.csv (line 2): not CSV"),
        (b"a,\xff\n1,2\n", "bad.csv cannot be read"),
        (
            b"size,kind,flag,accuracy\n8,a,true,1\n",
            "bad.csv has no column for the gene values.rate.",
        ),
        (
            b"size,rate,kind,flag,deep.flag,accuracy\n8,0.5,a,true,true,1\n",
            "values.deep.flag may be any of the columns flag, deep.flag. Call the right one",
        ),
    ],
)
def test_files_that_are_no_tables_are_told(text: bytes, message: str) -> None:
    Path("bad.csv").write_bytes(text)
    assert any(message in problem for problem in problems("objectives=accuracy", path="bad.csv"))


def test_missing_and_damaged_files_are_told() -> None:
    Path("no.csv.gz").write_bytes(b"plain text")
    assert "There is no file" in problems("objectives=accuracy", path="gone.csv")[0]
    assert "cannot be read" in problems("objectives=accuracy", path="no.csv.gz")[0]
    assert "cannot be read" in problems("objectives=accuracy", path=".")[0]
    with pytest.raises(SettingsError, match=r"needs evaluator.path=FILE.csv"):
        search(["space=./mine.yaml", "evaluator=table", "objectives=accuracy"])


def test_a_column_of_two_genes_is_told() -> None:
    Path("mine.yaml").write_text("values: {a: {n: {int: [1, 2]}}, b: {n: {int: [1, 2]}}}\n")
    write([["1", "2"]], "n,score")
    (problem,) = problems("objectives=score:max")
    assert problem.startswith("designs.csv: the column n may be any of values.a.n, values.b.n.")


def test_the_command_line_searches_a_table() -> None:
    result = typed(
        "search",
        *words("objectives=accuracy", "run.name=looked", "budget.evaluations=15"),
        "--json",
    )
    assert result.returncode == 0
    assert json.loads(result.stdout)["best"]["measures"] == {"accuracy": 14.5}
    assert typed("inspect", "looked").returncode == 0
