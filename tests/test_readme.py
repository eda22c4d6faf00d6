"""What the README says is what happens."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import EVONAS, REPOSITORY, evonas

from evonas.driver.preparation import check
from evonas.settings import Settings, Words

README = (REPOSITORY / "README.md").read_text()


def block(language: str, after: str) -> str:
    found = re.search(rf"{re.escape(after)}.*?```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_help_is_what_the_readme_shows() -> None:
    assert evonas("--help").stdout.strip() == block("text", "## Commands").strip()


def test_the_module_is_the_command() -> None:
    call = [sys.executable, "-m", "evonas", "--help"]
    result = subprocess.run(call, capture_output=True, text=True, timeout=60, check=True)
    assert result.stdout == evonas("--help").stdout


@pytest.mark.slow
def test_the_tour_works_as_typed(working_folder: Path) -> None:
    for line in block("sh", "## A tour").splitlines():
        words = shlex.split(line)
        assert words[0] == "evonas"
        result = subprocess.run(
            [str(EVONAS), *words[1:]], capture_output=True, text=True, timeout=300
        )
        assert result.returncode == 0, f"{line}\n{result.stderr}"
    assert (working_folder / "tour-model" / "training.json").exists()


def test_the_joined_space_works(working_folder: Path) -> None:
    (working_folder / "recipe.yaml").write_text(block("yaml", "Spaces join"))
    space = check(Words(["space=mobile_cells+./recipe.yaml"])).space
    assert space.genes[-1].name == "training.translate"


def test_the_python_example_works(working_folder: Path) -> None:
    (working_folder / "example.py").write_text(block("python", "## From Python"))
    call = [sys.executable, "example.py"]
    result = subprocess.run(call, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "{'layers': 2" in result.stdout


def test_the_optimised_function_works(working_folder: Path) -> None:
    (working_folder / "example.py").write_text(block("python", "Any other function is optimised"))
    call = [sys.executable, "example.py"]
    result = subprocess.run(call, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "'layer': {'units': 16}} {'score': -" in result.stdout
    assert [path.name for path in working_folder.iterdir()] == ["example.py"]


def test_the_space_of_values_works(working_folder: Path) -> None:
    (working_folder / "mine.yaml").write_text(block("yaml", "### Looking up instead of training"))
    words = ["space=./mine.yaml", "evaluator=python", "objectives=score:max"]
    space = check(Words(words), lambda blueprint: 1.0).space
    assert space.genes[-1].name == "values.momentum"


def test_every_setting_in_the_table_exists_with_its_default() -> None:
    table = README.partition("## Settings")[2].partition("## From Python")[0]
    keys = {key.split(".")[0] for key in re.findall(r"^\| `([a-z_.]+)", table, re.MULTILINE)}
    assert keys == set(Settings.model_fields)
    defaults = Settings()
    assert f"| `space` | `{defaults.space}` |" in table
    assert f"| {defaults.budget.evaluations}, none, none |" in table
    assert f"`{defaults.evolver.name}`, {defaults.evolver.population} |" in table


def test_the_make_targets_that_the_readme_names_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in set(re.findall(r"make (search|test|check)\b", README)):
        assert f"\n{target}:" in makefile


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target
