"""What is said of a function of the user's that cannot be had, and of one that fails."""

import json
import re
import sys
from pathlib import Path

import pytest
from conftest import evonas, problems_of, typed

from evonas.evaluation.python_evaluator import find_function

SEARCH = ["search", "space=./values.yaml", "evaluator=python", "objectives=v:max", "run.name=mine"]
SEARCH += ["budget.evaluations=1", "executor=inline", "display=plain"]
ARGPARSE = """
import argparse
parser = argparse.ArgumentParser()
parser.add_argument("--data", required=True)
arguments = parser.parse_args()
"""


@pytest.fixture(autouse=True)
def files_and_modules_of_this_test_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    Path("values.yaml").write_text("title: numbers\nvalues:\n  a: {float: [0, 1]}\n")
    Path("printing.py").write_text(PRINTING)


def refusal(place: str) -> str:
    (problem,) = problems_of(find_function, place)
    return problem


@pytest.mark.parametrize(
    ("place", "hint"),
    [
        (":", ""),
        ("mine", ""),
        ("mine:", ""),
        (":f", ""),
        (".mine:f", ""),
        ("..mine:f", ""),
        ("mine:f:g", ""),
        ("mine:f()", ""),
        ("mine: f", ""),
        ("./mine:f", "Did you mean mine:f?"),
        ("mine.py:f", "Did you mean mine:f?"),
        ("pkg/mine.py:f", "Did you mean pkg.mine:f?"),
    ],
)
def test_what_is_no_module_and_name_is_refused(place: str, hint: str) -> None:
    problem = refusal(place)
    assert problem.startswith("evaluator=python needs evaluator.function=package.module:name, got ")
    assert place in problem
    assert hint in problem


@pytest.mark.parametrize(
    ("text", "line", "error"),
    [
        ("def f(:\n    pass\n", 1, "SyntaxError: invalid syntax"),
        ("def f(b):\nreturn 1\n", 2, "IndentationError: expected an indented block"),
        ("import math\n\nraise ValueError('no luck\\nat all')\n", 3, "ValueError: no luck"),
        ("import numpyy\n", 1, "ModuleNotFoundError: No module named 'numpyy'"),
        ("from math import nothing\n", 1, "ImportError: cannot import name 'nothing'"),
        ("def load():\n    return {}['key']\nload()\n", 2, "KeyError: 'key'"),
        ("import sys\nsys.exit('bye')\n", 2, "SystemExit: bye. Put what makes it a program"),
        (ARGPARSE, 5, "SystemExit: 2. Put what makes it a program"),
        ("import json\njson.loads('{')\n", 2, "JSONDecodeError: Expecting property name"),
    ],
)
def test_a_module_that_cannot_be_imported_is_told_with_its_own_line(
    text: str, line: int, error: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["evonas", "search"])
    Path("broken.py").write_text(text)
    place, message = refusal("broken:f").splitlines()
    assert place == (
        f"evaluator.function=broken:f: importing broken failed, in broken.py (line {line}):"
    )
    assert message.startswith(f"  {error}")


def test_the_line_is_that_of_the_file_which_the_module_imports() -> None:
    Path("pkg").mkdir()
    Path("pkg", "__init__.py").write_text("")
    Path("pkg", "deep.py").write_text("\n1 / 0\n")
    Path("outer.py").write_text("import pkg.deep\n")
    assert "importing outer failed, in pkg/deep.py (line 2):\n" in refusal("outer:f")


def test_a_missing_module_or_name_is_told_with_what_is_near() -> None:
    Path("fitness.py").write_text("RATE = 3\ndef score(b):\n    return 1\ndef _hidden(b): ...\n")
    assert 'Did you mean "fitness"?' in refusal("fitnes:score")
    assert "there is no module fitness.deep" in refusal("fitness.deep:score")
    file = Path("fitness.py").absolute()
    assert refusal("fitness:scor") == (
        f'evaluator.function=fitness:scor: There is no function in {file} called "scor". '
        'Did you mean "score"? Known: score.'
    )
    assert refusal("fitness:RATE").endswith("RATE is no function, but 3.")


def test_the_command_says_it_in_two_lines_and_makes_no_run() -> None:
    Path("broken.py").write_text("def f(b):\n    return (1\n")
    result = typed(*SEARCH, "evaluator.function=broken:f")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "evaluator.function=broken:f: importing broken failed, in broken.py (line 2):\n"
        "  SyntaxError: '(' was never closed\n"
    )
    assert not Path("runs").exists()


FAILING = """
import json

def f(blueprint):
    return parsed("{")

def parsed(text):
    return json.loads(text)
"""


def test_a_trial_that_fails_names_the_user_s_line_and_shows_their_calls_alone() -> None:
    Path("failing.py").write_text(FAILING)
    result = evonas(*SEARCH, "evaluator.function=failing:f")
    assert result.returncode == 1
    assert re.search(
        r"^Trial 0 failed after .*: error, json.*Error: .*, in failing.py \(line 8\)\. It ranks",
        result.stderr,
        re.MULTILINE,
    )
    shown = typed("inspect", "mine", "--trial", "0").stdout
    assert 'failing.py", line 5, in f' in shown
    assert "_outcome" not in shown


PRINTING = """
import atexit, os, subprocess, sys
print("import")
atexit.register(print, "leaving")

def f(blueprint):
    print("print")
    sys.stdout.write("write\\n")
    os.write(1, b"descriptor\\n")
    subprocess.run(["echo", "child"])
    return 1.0
"""
PRINTED = ("print", "write", "descriptor", "child")


@pytest.mark.parametrize(
    "executor",
    [
        "inline",
        "virtual",
        pytest.param("local", marks=pytest.mark.slow),
        pytest.param("ray", marks=[pytest.mark.slow, pytest.mark.ray]),
    ],
)
def test_with_json_all_that_a_function_prints_goes_to_standard_error(
    executor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)
    words = ["evaluator.function=printing:f", f"executor={executor}", "executor.workers=1"]
    result = evonas(*SEARCH, *words, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["counts"]["complete"] == 1
    printed = result.stderr.splitlines()
    assert {"import", "leaving", *PRINTED} <= set(printed)
    assert printed.count("child") == 1


def test_a_resume_with_json_prints_its_document_alone() -> None:
    assert typed(*SEARCH, "evaluator.function=printing:f").returncode == 0
    result = evonas("resume", "mine", "budget.evaluations=+1", "--json")
    assert json.loads(result.stdout)["evaluations"] == 2
    assert {"import", *PRINTED} <= set(result.stderr.splitlines())


def test_a_doctor_with_json_prints_its_document_alone() -> None:
    words = [word for word in SEARCH[1:] if not word.startswith("run.")]
    result = evonas("doctor", *words, "evaluator.function=printing:f", "--json")
    assert json.loads(result.stdout)["checks"]
    assert set(PRINTED) <= set(result.stderr.splitlines())


def test_a_function_that_cannot_be_sent_to_a_process_is_told() -> None:
    Path("short.py").write_text("f = lambda blueprint: 1.0\n")
    result = typed(*SEARCH, "evaluator.function=short:f", "executor=local", "executor.workers=1")
    assert result.returncode == 2
    assert result.stderr.startswith("executor=local cannot send the evaluation to another process")
    assert "Traceback" not in result.stderr
