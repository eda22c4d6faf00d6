"""Users' mistakes: exit code 2, one clear message, no traceback, nothing half-written."""

from pathlib import Path

import pytest
from conftest import QUICK, SMALL_DETECTOR, SPACE, changed, typed
from PIL import Image

from evonas.errors import SpaceError
from evonas.yaml_file import read_yaml, write_yaml

WRONG_ALLELES = changed(
    SPACE,
    ("[conv, inverted_residual]", "[depthwise_seperable, inverted_residual]"),
    ("{choice: [3, 5]}", "4"),
    ("channels: 16", "channels: {choice: [8, 48.5]}"),
)


@pytest.mark.parametrize(
    ("words", "messages"),
    [
        (["space=moble_cells"], ['no space called "moble_cells". Did you mean "mobile_cells"?']),
        (["space=nano+moble_cells"], ['no space called "moble_cells". Did you mean "mob']),
        (["space=nano+mobile_cells"], ["mobile_cells.yaml (line", "as in space=nano."]),
        (["space=nano+"], ["space=nano+ has an empty part."]),
        (["budget.evalutions=3"], ['no key "evalutions". Did you mean "evaluations"?']),
        (["data=folder", "data.path=/nowhere"], ["There is no folder /nowhere."]),
        (["data=folder"], ["data=folder needs data.path=DIR"]),
        (["objectives=latnecy"], ['no objective called "latnecy"', "latency_ms"]),
        (["objectives=accuracy,accuracy"], ["names one twice"]),
        (["constraints.parametres.max=3"], ['no measure called "parametres"']),
        (["executor=rai"], ['no executor called "rai". Did you mean "ray"?']),
        (["evolver=pygat"], ['no evolver called "pygat". Did you mean "pygad"?']),
        (["data=digit"], ['no data set called "digit". Did you mean "digits"?']),
        (["evaluator=python"], ["evaluator.function=package.module:name"]),
        (["data.subset=5"], ["data.subset=5 leaves a part of the split without images of some"]),
        (["config=missing.yaml"], ["There is no file missing.yaml."]),
        (["full.resolution_px=16", "space=mobile_cells"], ["total stride of 32"]),
        (
            ["space=moble_cells", "budget.evalutions=3", "objectives=latnecy", "run.seed=x"],
            ["moble_cells", "evalutions", "latnecy", "run.seed=x"],
        ),
    ],
)
def test_wrong_words(words: list[str], messages: list[str], working_folder: Path) -> None:
    result = typed("search", *words)
    assert result.returncode == 2
    assert result.stdout == ""
    for message in messages:
        assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert list(working_folder.iterdir()) == []


def test_a_space_file_with_wrong_alleles_names_every_line(working_folder: Path) -> None:
    Path("mine.yaml").write_text(WRONG_ALLELES)
    result = typed("search", "space=./mine.yaml")
    assert result.returncode == 2
    lines = result.stderr.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("mine.yaml, network.stages.0.operation (line 9): There is no operat")
    assert 'Did you mean "depthwise_separable"?' in lines[0]
    assert lines[1].startswith("mine.yaml, network.stages.0.kernel (line 11): 4 is not a kernel")
    assert "(line 14): 48.5 is not a number of channels" in lines[2]
    assert not Path("runs").exists()


def test_a_joined_space_names_the_file_of_every_mistake() -> None:
    Path("mine.yaml").write_text("training:\n  lr: 0.1\n  lr0: {log: [0.1, 1]}\n")
    Path("twice.yaml").write_text("training: {lr0: 0.1}\ncompression: {bits: 8}\n")
    result = typed("search", "space=nano+./mine.yaml")
    assert result.returncode == 2
    assert result.stderr.startswith(
        'mine.yaml, training.lr (line 2): there is no key "lr". Did you'
    )
    result = typed("search", "space=nano+./mine.yaml+twice.yaml")
    assert result.returncode == 2
    assert result.stderr == (
        "training.lr0 stands in mine.yaml (line 3) and in twice.yaml (line 1). Keep one.\n"
    )
    assert not Path("runs").exists()


def test_a_settings_file_is_read_and_its_mistakes_have_lines() -> None:
    Path("mine.yaml").write_text("space: nano\nbudget:\n  evaluatons: 3\n")
    result = typed("search", "config=mine.yaml")
    assert result.returncode == 2
    assert "mine.yaml, budget.evaluatons (line 3)" in result.stderr


def test_an_existing_name_is_refused(run_copy: Path) -> None:
    before = {path: path.read_bytes() for path in run_copy.glob("*.yaml")}
    result = typed("search", *QUICK, "run.name=finished")
    assert result.returncode == 2
    assert "There is a run" in result.stderr
    assert {path: path.read_bytes() for path in run_copy.glob("*.yaml")} == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["space=mobile_cells"], "a resume cannot change space"),
        (["data.subset=9"], "a resume cannot change data"),
        (
            ["data.class_weights=balanced"],
            "It may change budget, confirm, executor, display, data.path",
        ),
        (["data=synthetic"], "a resume cannot change data"),
        (["training.epochs=3"], "training.epochs=3: a resume cannot change training"),
        (["budget.evaluatons=+3"], 'Did you mean "evaluations"?'),
    ],
)
def test_resume_changes_only_budget_executor_and_display(
    run_copy: Path, words: list[str], message: str
) -> None:
    result = typed("resume", "finished", *words)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_resume_with_another_space_file_is_refused(run_copy: Path) -> None:
    file = run_copy / "space.yaml"
    values, _ = read_yaml(file, SpaceError)
    values["network"]["stages"][0]["channels"]["choice"] = [16, 32]
    write_yaml(file, values)
    result = typed("resume", "finished")
    assert result.returncode == 2
    assert "was made with another space (fingerprint" in result.stderr


@pytest.mark.parametrize(
    "command", [["resume", "nope"], ["inspect", "nope"], ["export", "nope", "--to", "x"]]
)
def test_an_unknown_run_is_named(run_copy: Path, command: list[str]) -> None:
    result = typed(*command)
    assert result.returncode == 2
    assert 'There is no run "nope" in runs. Known: finished.' in result.stderr


def test_a_damaged_image_is_named(working_folder: Path) -> None:
    for name in ("cat", "dog"):
        (working_folder / "images" / name).mkdir(parents=True)
        for number in range(4):
            (working_folder / "images" / name / f"{number}.png").write_bytes(b"no image")
    result = typed("search", "data=folder", "data.path=images")
    assert result.returncode == 2
    assert "images/cat/0.png is no image that can be read" in result.stderr
    assert "... and 3 more like these." in result.stderr
    assert not Path("runs").exists()


@pytest.mark.slow
def test_boxes_that_can_be_mended_are_counted_in_one_line_and_searched() -> None:
    folder = Path("boxes")
    folder.mkdir()
    for number in range(40):
        Image.new("L", (32, 32), 6 * number).save(folder / f"{number:02}.png")
        label = "0 0.9 0.5 0.8 0.4" if number < 3 else "0 0.5 0.5 0.4 0.4"
        (folder / f"{number:02}.txt").write_text(label)
    (folder / "data.yaml").write_text("names: [thing]\ntrain: .\n")
    words = [f"space={SMALL_DETECTOR}", "data=detection", "data.path=boxes", "training.epochs=1"]
    words += ["budget.evaluations=1", "objectives=map50,macs", "executor=inline"]
    result = typed("search", *words, "display=plain")
    assert result.returncode == 0, result.stderr
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Labels")]
    assert line.startswith("Labels have 3 boxes cut at the edges of their images. evonas doctor")
