"""Who may import whom, which libraries load where, and that importing evonas is light."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "evonas"

# A line may import only from lines below it; rooms of one line never import each other.
LAYERS = [
    {"__main__"},
    {"cli"},
    {"doctor"},
    {"driver"},
    {"delivery"},
    {"reports"},
    {"runs"},
    {"executors"},
    {"evaluation"},
    {"compression"},
    {"training"},
    {"hardware"},
    {"model_folder", "conversion"},
    {"exporters"},
    {"tasks"},
    {"data"},
    {"models", "evolution"},
    {"space"},
    {"presets", "settings", "trial"},
    {"blueprint"},
    {"networks"},
    {"yaml_file"},
    {"registry", "cache_folder", "key", "pareto", "standard_output", "user_code"},
    {"files"},
    {"errors", "interrupts"},
]
DEPTH = {room: depth for depth, rooms in enumerate(LAYERS) for room in rooms}

# Libraries that may be imported in certain rooms or files only.
HOMES = {
    "fcntl": {"files.py"},
    "ray": {"executors/ray_service.py", "executors/ray_executor.py"},
    "pygad": {"evolution"},
    "optuna": {"evolution", "delivery/tuning"},
    "onnxruntime": {"hardware", "exporters", "delivery"},
    "typer": {"cli"},
    "rich": {"cli", "reports"},
    "sklearn": {"data/digits.py"},
    "pandas": {"runs/run.py"},
    "faster_coco_eval": {"tasks/detection/average_precision.py"},
}
NEVER = {"torchvision", "timm", "pickle", "dill", "cloudpickle", "joblib"}
TORCHLESS = [
    *("space", "evolution", "settings", "trial", "blueprint", "networks", "presets", "registry"),
    *("key", "errors", "pareto", "runs", "reports.summary", "reports.tables"),
]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield str(node.module)
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_go_down_only(path: Path) -> None:
    if path == PACKAGE / "__init__.py":
        return  # the lazy facade stands outside the order
    own = room(path)
    for name in imports(path):
        if not name.startswith("evonas."):
            continue
        other = name.split(".")[1]
        assert other in DEPTH, f"{other} has no place in the order of layers"
        assert other == own or DEPTH[other] > DEPTH[own], f"{own} must not import {other}"


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    place = str(path.relative_to(PACKAGE))
    for name in imports(path):
        library = name.split(".")[0]
        assert library not in NEVER
        homes = HOMES.get(library)
        assert homes is None or any(place == home or place.startswith(f"{home}/") for home in homes)


def looked_for(path: Path) -> Iterator[str]:
    """Packages whose presence the code asks about: `find_spec("name")`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "find_spec":
            yield from (part.value for part in node.args if isinstance(part, ast.Constant))


def test_each_package_that_the_code_names_can_be_installed_with_evonas() -> None:
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    extras = {k: v for k, v in project["optional-dependencies"].items() if k != "dev"}
    wanted = [*project["dependencies"], *(line for lines in extras.values() for line in lines)]
    installable = {re.split(r"[<>=~! ]", line)[0].lower().replace("-", "_") for line in wanted}
    installs = importlib.metadata.packages_distributions()
    for path in modules():
        for name in {full.split(".")[0] for full in [*imports(path), *looked_for(path)]}:
            names = {known.lower().replace("-", "_") for known in installs.get(name, [name])}
            is_own = name == "evonas" or name in sys.stdlib_module_names
            assert is_own or names & installable, f"{path}: no extra installs {name}"
        for extra in re.findall(r"evonas\[(\w+)\]", path.read_text()):
            assert extra in extras, f"{path} names the extra {extra}"


def loaded_by(statement: str) -> set[str]:
    script = f"import sys; {statement}; print(' '.join(sys.modules))"
    printed = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(printed.stdout.split())


@pytest.mark.parametrize("statement", ["import evonas", "import evonas.cli.app"])
def test_importing_evonas_loads_nothing_heavy(statement: str) -> None:
    assert not loaded_by(statement) & {"torch", "ray", "optuna", "pygad", "numpy", "pydantic"}


@pytest.mark.parametrize("name", TORCHLESS)
def test_the_half_without_torch_stays_without(name: str) -> None:
    assert not loaded_by(f"import evonas.{name}") & {"torch", "ray", "onnxruntime"}


def test_the_facade_offers_exactly_what_it_says() -> None:
    import evonas

    assert evonas.__all__ == sorted(evonas.__all__) == sorted(evonas._HOMES)
    assert all(hasattr(evonas, name) for name in evonas.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = evonas.nothing


OF_EACH_GRAMMAR = {"section.py", "rules.py", "plan.py"}


def test_files_have_names_of_their_own() -> None:
    names = [path.name for path in modules() if path.name != "__init__.py"]
    assert {name for name in names if names.count(name) > 1} == OF_EACH_GRAMMAR


LONG = 150  # lines


def test_a_long_file_has_a_test_file_of_its_name() -> None:
    tests, missing = Path(__file__).parent, []
    for path in modules():
        place = path.relative_to(PACKAGE)
        place = place.parent if place.name == "__init__.py" else place.with_suffix("")
        *rooms, name = place.parts or ("evonas",)
        # Test files need names of their own: of one that two rooms have, the room's comes first.
        names = {f"test_{name}.py", *(f"test_{room}_{name}.py" for room in rooms[-1:])}
        there = {test.name for test in tests.joinpath(*rooms[:1]).rglob("test_*.py")}
        if len(path.read_text(encoding="utf-8").splitlines()) > LONG and not names & there:
            missing.append(f"{place}: {' or '.join(sorted(names))}")
    assert missing == []


def test_a_large_folder_has_a_reason_in_the_page_on_architecture() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    for folder in {path.parent for path in modules()}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        if len(files) > 15:
            assert f"`{folder.relative_to(PACKAGE)}/` (" in page, folder


def test_the_page_on_architecture_has_the_floors_in_their_order() -> None:
    page = (PACKAGE.parent / "docs" / "architecture.md").read_text(encoding="utf-8")
    table = page.partition("| floor | what it holds |\n")[2].partition("\n\n")[0]
    cells = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    floors = [set(re.findall(r"`(\w+)`", cell)) for cell in cells]
    assert floors == LAYERS[1 : len(floors) + 1]
    assert "errors" in LAYERS[-1], "the last row stands for all that is below"
