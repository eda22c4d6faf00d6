"""What the README says is what happens."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import EVONAS, REPOSITORY, evonas
from PIL import Image

import evonas as evonas_package
from evonas.driver.preparation import check
from evonas.settings import Group, Settings, Words

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


@pytest.mark.slow
def test_what_becomes_of_a_design_works_from_python_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    exec(block("python", "what becomes of the best design"), names := {"evonas": evonas_package})
    shown = capfd.readouterr()
    assert shown.err == ""
    (line,) = shown.out.splitlines()
    assert "'onnx_max_abs_difference'" in line
    assert names["trained"]["epochs"] == 2
    Image.new("L", (8, 8)).save("image.png")
    (found,) = evonas_package.predict("small-model", ["image.png"])
    assert found["class"] in "0123456789"


def test_the_space_of_values_works(working_folder: Path) -> None:
    (working_folder / "mine.yaml").write_text(block("yaml", "### Looking up instead of training"))
    words = ["space=./mine.yaml", "evaluator=python", "objectives=score:max"]
    space = check(Words(words), lambda blueprint: 1.0).space
    assert space.genes[-1].name == "values.momentum"


def leaves(group: type[Group], prefix: str = "") -> dict[str, Any]:
    """Every key of a group and of those in it, with its default."""
    found: dict[str, Any] = {}
    for name, field in group.model_fields.items():
        default = field.get_default(call_default_factory=True)
        if isinstance(default, Group):
            found |= leaves(type(default), f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = default
    return found


def spelt_out(keys: str) -> Iterator[str]:
    """`a.b`, `.c` as a.b and a.c; a group's name as the key that it is short for."""
    group = ""
    for key in re.findall(r"`([^`]+)`", keys):
        full = group + key if key.startswith(".") else key
        group = group if key.startswith(".") else key.rpartition(".")[0]
        full = re.sub(r"\.(MEASURE|OBJECTIVE)\b.*", "", full)  # any measure's
        yield f"{full}.name" if f"{full}.name" in LEAVES and full != "run" else full


def states(text: str, default: Any) -> bool:
    """Whether the README's text is this default; of what is not set, a word says what holds."""
    value = text.split(" (")[0].strip("`")
    if default in (None, (), {}):
        return "`" not in text and not re.fullmatch(r"-?[\d.e-]+|true|false", value)
    if isinstance(default, bool):
        return value == str(default).lower()
    if isinstance(default, int | float):
        return re.fullmatch(r"-?[\d.e-]+", value) is not None and float(value) == default
    return value == (",".join(default) if isinstance(default, tuple) else str(default))


LEAVES = leaves(Settings)
COMMA = re.compile(r", (?=(?:[^`]*`[^`]*`)*[^`]*$)")  # not those within backticks


def stated_in_the_table_of_settings() -> Iterator[tuple[str, str]]:
    table = README.partition("## Settings")[2].partition("## From Python")[0]
    for row in re.findall(r"^\| (`.*) \|$", table, re.MULTILINE):
        keys, defaults, _ = row.split(" | ", 2)
        if keys != "`training.*`":
            yield from zip(spelt_out(keys), COMMA.split(defaults), strict=True)


def stated_in_the_table_of_trainings() -> Iterator[tuple[str, str]]:
    table = README.partition("| what | `training.` |")[2].partition("\n\n")[0]
    for key, default in re.findall(r"`(\w+)` \(([^:;)]*)[^)]*\)", table):
        yield f"training.{key}", default


def drift(stated: Iterable[tuple[str, str]], of_training: bool) -> list[str]:
    """What the README has to say instead."""
    said = dict.fromkeys(LEAVES, "") | dict(stated)
    wrong = [f"{key}: there is no such setting" for key in said if key not in LEAVES]
    for key, default in LEAVES.items():
        if key.startswith("training.") != of_training:
            continue
        if not said[key]:
            wrong.append(f"{key} is not in the table: add it with its default, {default!r}")
        elif not states(said[key], default):
            wrong.append(f"{key}: write {default!r} as its default, not {said[key]}")
    return wrong


def test_the_table_of_settings_has_every_setting_with_its_default() -> None:
    assert drift(stated_in_the_table_of_settings(), of_training=False) == []


def test_the_table_of_trainings_has_every_setting_with_its_default() -> None:
    assert drift(stated_in_the_table_of_trainings(), of_training=True) == []


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("latency.limit_s", "0.4"),
        ("data.subset", "64"),
        ("evolver.surrogate", "false"),
        ("objectives", "`accuracy`"),
        ("run.seed", "none"),
        ("latency.limit", "0.8"),
    ],
)
def test_a_default_that_is_not_so_is_drift(key: str, text: str) -> None:
    assert drift([*stated_in_the_table_of_settings(), (key, text)], of_training=False) != []


def test_the_make_targets_that_the_readme_names_exist() -> None:
    makefile = (REPOSITORY / "Makefile").read_text()
    for target in set(re.findall(r"make (search|test|check)\b", README)):
        assert f"\n{target}:" in makefile


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target
