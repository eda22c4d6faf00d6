"""Model folders are written whole, read as written, and run no code but evonas's."""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from conftest import REPOSITORY
from torch import nn

from evonas.delivery.model_writer import Model, model_files, write_model
from evonas.errors import ExportError, SettingsError
from evonas.exporters.file_names import (
    BASE,
    BLUEPRINT,
    CONFUSION,
    CURVES,
    EXAMPLES,
    FACTS,
    FILES,
    LAST,
    ONNX,
    ONNX_INT8,
    ONNX_NMS,
    PACKED,
    PRECISION_RECALL,
    RECIPE,
    SOURCE,
    TRAINING,
    WEIGHTS,
)
from evonas.exporters.onnx import onnx_model
from evonas.exporters.weights import tensors_of
from evonas.model_folder.model_folder import ModelFolder
from evonas.model_folder.recipe_file import InputSettings, OriginSettings, Recipe
from evonas.model_folder.replacement import READY, STAGED, held, is_free
from evonas.models import build
from evonas.settings import DataSettings, TrainingSettings
from evonas.space import Scale, load_space

SCALE = Scale("proxy", resolution_px=8, width=0.5, smallest_map_px=4, input_channels=1)
# What a retraining writes beside.
LATER = {TRAINING, LAST, BASE, EXAMPLES, CURVES, CONFUSION, PRECISION_RECALL}
WRITTEN = {*FILES} - LATER - {ONNX_NMS, ONNX_INT8, PACKED}  # by an export


def model(seed: int) -> Model:
    space = load_space("nano")
    blueprint = space.decode([1.0] * len(space.genes))
    recipe = Recipe(
        data=DataSettings(),
        input=InputSettings(channels=1, resolution_px=8),
        classes=tuple("0123456789"),
        training=TrainingSettings(),
        seed=3,
        origin=OriginSettings(run="a", trial=0, scale="proxy"),
    )
    facts: dict[str, Any] = {"measures": {}, "scales": {}, "genes": {}}
    return Model(recipe, blueprint.to_dict(), facts, build(blueprint, SCALE, seed=seed))


def write(folder: Path, seed: int = 0) -> None:
    write_model(folder, model(seed), lambda network, onnx: {"ms": 1.0, "pairs": 1})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("made") / "model"
    write(folder)
    return folder


@pytest.fixture
def folder(made: Path, working_folder: Path) -> Path:
    return Path(shutil.copytree(made, working_folder / "model"))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_all_files_are_listed_and_none_names_a_place_of_the_moment(folder: Path) -> None:
    assert {Path(file).name for file in model_files(folder)} == set(contents(folder)) == WRITTEN
    passing = (STAGED, READY, tempfile.gettempdir(), str(REPOSITORY), str(Path.home()) + "/")
    for name, content in contents(folder).items():
        for place in passing:
            assert place.encode() not in content, name


@pytest.mark.parametrize("name", [SOURCE, WEIGHTS, ONNX, "blueprint.json", "search.json"])
def test_a_changed_file_is_refused_by_name_unless_it_is_trusted(folder: Path, name: str) -> None:
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(ExportError, match=rf"model/{name} is not as evonas wrote it.*--trust"):
        ModelFolder.open(folder, [name]).read(name)
    assert ModelFolder.open(folder, [name], trust=True).read(name) == content


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("import sys; sys.exit(0)", r"ends the process, by SystemExit\(0\)"),
        ("raise ValueError('no')", r"ValueError: no .*model.py \(line"),
        ("class End(BaseException): ...\nraise End", "End"),
        ("x = = 1", "SyntaxError"),
        ("del Network", "no attribute 'Network'"),
        ("Network = int", "does not define a network that works"),
        ("example_input = lambda: torch.zeros(1, 1, 16, 16)", "and has to take"),
    ],
)
def test_code_that_is_trusted_and_does_not_work_is_told(
    folder: Path, line: str, message: str
) -> None:
    with open(folder / SOURCE, "a") as file:
        file.write(f"\n{line}\n")
    with pytest.raises(ExportError, match="is run, so it may do anything"):
        ModelFolder.open(folder, [SOURCE]).source()
    with pytest.raises(ExportError, match=message):
        ModelFolder.open(folder, [SOURCE], trust=True).source()


def renamed_input(folder: Path) -> bytes:
    return (folder / ONNX).read_bytes().replace(b"images", b"pixels")


def of_other_classes(folder: Path) -> bytes:
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 3))
    return onnx_model(network, (1, 8, 8), batch=None)


def of_larger_images(folder: Path) -> bytes:
    network = nn.Sequential(nn.Flatten(), nn.Linear(256, 10))
    return onnx_model(network, (1, 16, 16), batch=None)


@pytest.mark.parametrize(
    "content",
    [
        lambda folder: b"",
        lambda folder: b"noise" * 100,
        lambda folder: (folder / ONNX).read_bytes()[:5000],
        lambda folder: (folder / WEIGHTS).read_bytes(),
        renamed_input,
        of_other_classes,
        of_larger_images,
    ],
)
def test_an_onnx_model_that_is_trusted_and_does_not_work_is_told(
    folder: Path, content: Callable[[Path], bytes]
) -> None:
    (folder / ONNX).write_bytes(content(folder))
    opened = ModelFolder.open(folder, [ONNX], trust=True)
    with pytest.raises(ExportError, match=r"model/model\.onnx.* Export the design again"):
        opened.onnx()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (FACTS, "[]", "holds no JSON object"),
        (FACTS, "{}", "search.json, measures: "),
        (FACTS, '{"measures": {"a": NaN}, "scales": {}, "genes": {}}', "NaN is no number"),
        (FACTS, '{"measures": {"a": 1e999}, "scales": {}, "genes": {}}', "measures.a: "),
        (FACTS, '{"measures": {"a": "much"}, "scales": {}, "genes": {}}', "measures.a: "),
        (FACTS, '{"measures": {}, "scales": [1], "genes": {}}', "search.json, scales: "),
        (BLUEPRINT, "[" * 100_000, "is no JSON"),
        (BLUEPRINT, '{"network": []}', "blueprint.json, network: "),
    ],
)
def test_documents_that_are_trusted_and_hold_something_else_are_told(
    folder: Path, name: str, content: str, message: str
) -> None:
    (folder / name).write_text(content)
    with pytest.raises((ExportError, SettingsError), match=message):
        ModelFolder.open(folder, [name], trust=True).mapping(name)


def test_the_recipe_may_be_edited_but_for_what_the_weights_depend_on(folder: Path) -> None:
    text = (folder / RECIPE).read_text()
    (folder / RECIPE).write_text(text.replace("epochs: 5", "epochs: 7"))
    opened = ModelFolder.open(folder, [])
    assert opened.has_edited_recipe
    assert opened.recipe.training.epochs == 7
    (folder / RECIPE).write_text(text.replace("- '3'", "- three"))
    with pytest.raises(ExportError, match="input or classes are not those"):
        ModelFolder.open(folder, [])


@pytest.mark.parametrize("missing", [["search.json"], ["check.json"], [SOURCE, "blueprint.json"]])
def test_what_is_missing_is_named_where_it_is_needed(folder: Path, missing: list[str]) -> None:
    for name in missing:
        (folder / name).unlink()
    with pytest.raises(ExportError, match=f"it lacks .*{missing[-1]}"):
        ModelFolder.open(folder, missing)


def test_a_writing_that_fails_leaves_all_as_it_was(folder: Path, working_folder: Path) -> None:
    def fails(network: object, onnx: bytes) -> dict[str, Any]:
        raise KeyboardInterrupt

    before = contents(folder)
    for place in (folder, working_folder / "new"):
        with pytest.raises(KeyboardInterrupt):
            write_model(place, model(1), fails)
    assert contents(folder) == before
    assert not (folder / STAGED).exists()
    assert not (working_folder / "new").exists()


def test_a_process_killed_at_any_step_leaves_all_old_files_or_all_new_ones(
    folder: Path, working_folder: Path
) -> None:
    old = contents(folder)
    whole = working_folder / "whole"
    write(whole, seed=1)
    new = contents(whole)
    shutil.copytree(whole, folder / STAGED)  # killed while it was writing
    ModelFolder.open(folder, WRITTEN).trained()
    assert contents(folder) == old
    os.rename(folder / STAGED, folder / READY)  # killed while files moved to their places
    os.replace(folder / READY / WEIGHTS, folder / WEIGHTS)
    ModelFolder.open(folder, WRITTEN).trained()
    assert contents(folder) == new
    assert not (folder / READY).exists()


def test_what_a_killed_export_left_does_not_stand_in_the_way(working_folder: Path) -> None:
    Path("new", STAGED).mkdir(parents=True)
    assert is_free(Path("new"))
    write(Path("new"))
    assert not is_free(Path("new"))
    assert set(contents(Path("new"))) == WRITTEN


def test_tensors_are_read_in_the_order_of_their_names() -> None:
    names = [f"layer{number:02}.weight" for number in range(40)]
    content = safetensors.torch.save({name: torch.zeros(1) for name in reversed(names)})
    assert list(tensors_of(content, Path("weights.safetensors"))) == names


def test_a_folder_is_retrained_by_one_process_at_a_time(folder: Path) -> None:
    with held(folder), pytest.raises(ExportError, match="Another process is retraining"):
        held(folder).__enter__()
    with held(folder):
        pass
