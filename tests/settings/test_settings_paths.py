"""Where relative paths start: in a settings file from its folder, typed from where the user is."""

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import typed

from evonas.settings import Settings, Words
from evonas.yaml_file import write_yaml

KINDS = {
    "data.path": lambda settings: str(settings.data.path),
    "evaluator.path": lambda settings: str(settings.evaluator.path),
    "training.weights": lambda settings: str(settings.training.weights),
    "space": lambda settings: settings.space,
}
SPACE = "title: numbers\nvalues:\n  a: {int: [1, 2]}\n"
TABLE = "a,v\n1,0.5\n2,0.75\n"


def read(*words: str) -> Settings:
    reader = Words(words)
    assert reader.read()[1] == []
    return reader.read()[0]


def nested(key: str, value: str) -> dict[str, Any]:
    first, _, second = key.partition(".")
    return {first: {second: value} if second else value}


@pytest.mark.parametrize("key", KINDS)
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("./x.yaml", "{folder}/x.yaml"),
        ("deep/x.yaml", "{folder}/deep/x.yaml"),
        ("../x.yaml", "{above}/x.yaml"),
        ("/data/x.yaml", "/data/x.yaml"),
        ("~/x.yaml", "{home}/x.yaml"),
    ],
)
def test_a_path_in_a_file_starts_from_the_file_s_folder(
    key: str, written: str, meant: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "projects" / "c++"
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    write_yaml(folder / "settings.yaml", nested(key, written))
    places = {"folder": folder, "above": folder.parent, "home": Path.home()}
    for start, config in (
        (tmp_path, "projects/c++/settings.yaml"),
        (tmp_path / "elsewhere", "../projects/c++/settings.yaml"),
        (folder, "settings.yaml"),
        (folder, str(folder / "settings.yaml")),
    ):
        monkeypatch.chdir(start)
        assert KINDS[key](read(f"config={config}")) == meant.format(**places)


@pytest.mark.parametrize("key", KINDS)
def test_a_typed_path_starts_from_the_working_directory(key: str, tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write_yaml(tmp_path / "sub" / "settings.yaml", nested(key, "./a.yaml"))
    found = read("config=sub/settings.yaml", f"{key}=../b.yaml")
    assert KINDS[key](found) == str(tmp_path.parent / "b.yaml")


def test_joined_spaces_keep_their_names_and_each_path_starts_from_the_file(tmp_path: Path) -> None:
    (tmp_path / "c++").mkdir()
    write_yaml(tmp_path / "c++" / "s.yaml", {"space": "nano+./a.yaml+../b.yaml+recipe"})
    space = read("config=c++/s.yaml").space
    assert space == f"nano+{tmp_path}/c++/a.yaml+{tmp_path}/b.yaml+recipe"


def test_runs_lie_where_the_user_works_wherever_the_settings_come_from(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write_yaml(tmp_path / "sub" / "s.yaml", {"run": {"folder": "mine"}})
    assert read("config=sub/s.yaml").run.folder == Path("mine")


def test_a_search_by_a_file_elsewhere_goes_on_from_anywhere_and_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("sub", "sub/tables", "other"):
        (tmp_path / folder).mkdir()
    (tmp_path / "sub" / "values.yaml").write_text(SPACE)
    (tmp_path / "sub" / "tables" / "t.csv").write_text(TABLE)
    table = {"name": "table", "path": "tables/t.csv"}
    settings = {"space": "./values.yaml", "evaluator": table, "objectives": ["v:max"]}
    settings |= {"executor": "inline", "budget": {"evaluations": 1}, "display": "none"}
    write_yaml(tmp_path / "sub" / "settings.yaml", settings)
    first = typed("search", "config=sub/settings.yaml", "run.name=first")
    assert first.returncode == 0, first.stderr
    monkeypatch.chdir(tmp_path / "other")
    run = tmp_path / "runs" / "first"
    more = typed("resume", str(run), "budget.evaluations=2")
    assert more.returncode == 0, more.stderr
    again = typed("search", f"config={run}/config.yaml", "run.name=again", "--json")
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "other" / "runs" / "again").is_dir()
    assert json.loads(typed("runs", "--json").stdout)
