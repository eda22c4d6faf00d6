"""An exported model on image files and folders, as a user types it."""

import csv
import json
import os
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
from conftest import typed
from PIL import Image

from evonas.delivery.predict import BATCH, batches, predict, predictions_folder, write_predictions
from evonas.errors import DataError, ExportError
from evonas.model_folder.recipe_file import InputSettings
from evonas.tasks import TASKS
from evonas.yaml_file import read_yaml, write_yaml

DIGITS = InputSettings(channels=1, resolution_px=8, mean=(0.5,), deviation=(0.25,))
DETECTOR = """
task: detection
data: null
input: {channels: 3, resolution_px: 32}
classes: [a, b]
training: {}
seed: 0
origin: {run: a, trial: 0, scale: full}
"""
LEVELS = np.arange(192, dtype=np.uint8).reshape(16, 12)


@pytest.fixture(scope="module")
def model(finished_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The best design of the finished run with the weights of its short training."""
    folder = tmp_path_factory.mktemp("exported") / "model"
    with chdir(finished_run.parents[1]):
        words = ["--to", str(folder), "--scale", "proxy", "--pick", "best"]
        assert typed("export", "finished", *words).returncode == 0
    return folder


def paint(file: Path, level: int = 0) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(LEVELS + np.uint8(level)).save(file)
    return file


def test_images_come_in_batches(working_folder: Path) -> None:
    files = [paint(Path(f"{number}.png"), number) for number in range(2 * BATCH + 5)]
    found = [batch for batch, frames in batches(files, DIGITS, "crop")]
    assert [len(batch) for batch in found] == [BATCH, BATCH, 5]
    assert all(batch.shape[1:] == (1, 8, 8) and batch.dtype == np.float32 for batch in found)
    means = [float(image.mean()) for batch in found for image in batch]
    assert means == sorted(means)


def test_all_files_that_are_no_images_are_named_in_whatever_batch(working_folder: Path) -> None:
    files = [paint(Path(f"{number}.png")) for number in range(3 * BATCH)]
    for number in (3, BATCH + 1, 3 * BATCH - 1):
        files[number].write_text("no image")
    with pytest.raises(DataError) as failure:
        list(batches(files, DIGITS, "crop"))
    assert [problem.split()[0] for problem in failure.value.problems] == [
        "3.png",
        f"{BATCH + 1}.png",
        f"{3 * BATCH - 1}.png",
    ]


def test_a_table_has_a_column_a_class() -> None:
    result = {"image": "a.png", "class": "x", "probability": 0.7}
    prediction = {**result, "probabilities": {"x": 0.7, "image": 0.3}}
    rows = [{"image": "a.png", **row} for row in TASKS["classification"].rows(prediction)]
    assert rows == [{**result, "probability of x": 0.7, "probability of image": 0.3}]


@pytest.mark.slow
def test_a_folder_stands_for_its_images(model: Path, working_folder: Path) -> None:
    for name in ("b.png", "a.jpg", "deep/er/c.gif", "single.png"):
        paint(Path("images" if name != "single.png" else ".", name), len(name))
    Path("images/notes.txt").write_text("no image")
    results = json.loads(typed("predict", str(model), "images", "single.png", "--json").stdout)
    names = ["images/a.jpg", "images/b.png", "images/deep/er/c.gif", "single.png"]
    assert [result["image"] for result in results] == names
    assert all(sum(r["probabilities"].values()) == pytest.approx(1) for r in results)
    alone = predict(model, [Path("single.png")])
    assert alone[0]["probability"] == pytest.approx(results[-1]["probability"])
    Path("empty").mkdir()
    refused = typed("predict", str(model), "empty", "nowhere.png")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[0] == "The folder empty has no images."


@pytest.mark.slow
def test_predictions_are_written_as_csv(model: Path, working_folder: Path) -> None:
    for name in ("=1+1.png", "a[b].png", "c\x1b[2J.png"):
        paint(Path("images", name))
    result = typed("predict", str(model), "images", "--csv", "out.csv")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "3 predictions written to out.csv.\n"
    with open("out.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["image"] for row in rows] == [
        "images/=1+1.png",
        "images/a[b].png",
        r"images/c\x1b[2J.png",
    ]
    columns = [name for name in rows[0] if name.startswith("probability of ")]
    assert len(columns) == 10
    assert sum(float(rows[0][name]) for name in columns) == pytest.approx(1)
    os.chdir("images")
    typed("predict", str(model), "=1+1.png", "--csv", "../out.csv")
    assert Path("../out.csv").read_text().splitlines()[1].startswith("'=1+1.png,")


@pytest.mark.slow
def test_names_of_files_and_classes_are_shown_as_they_are(
    model: Path, working_folder: Path
) -> None:
    shutil.copytree(model, "named")
    recipe, _ = read_yaml(Path("named/recipe.yaml"), ExportError)
    recipe["classes"] = [f"[red]{digit}[/x]" for digit in range(10)]
    write_yaml(Path("named/recipe.yaml"), recipe)
    names = ["a[/b].png", "c\x1b[2J\n.png", ":smile:[bold].png"]
    for name in names:
        paint(Path(name))
    Path(os.fsdecode(b"byte\xff.png")).write_bytes(Path(names[0]).read_bytes())
    result = typed("predict", "named", "--trust", *names, os.fsdecode(b"byte\xff.png"))
    assert result.returncode == 0, result.stderr
    for shown in ("a[/b].png", r"c\x1b[2J\n.png", ":smile:[bold].png", r"byte\xff.png", "[red]"):
        assert f" {shown}" in result.stdout
    assert "\x1b" not in result.stdout


@pytest.mark.slow
def test_what_is_no_picture_is_refused_by_name_without_a_hang(
    model: Path, working_folder: Path
) -> None:
    os.mkfifo("pipe.png")
    Image.new("1", (20_000, 20_000)).save("large.png")
    paint(Path("cut.png"))
    Path("cut.png").write_bytes(Path("cut.png").read_bytes()[:45])
    names = ["pipe.png", "large.png", "cut.png", "nowhere.png", "/dev/null"]
    result = typed("predict", str(model), *names)
    assert (result.returncode, result.stdout) == (2, "")
    lines = result.stderr.splitlines()
    assert [line.split(" is no image that can be read: ")[0] for line in lines] == names


@pytest.mark.slow
def test_predict_turns_pictures_as_reading_does(model: Path, working_folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = Image.fromarray(LEVELS)
    upright.save("upright.png")
    upright.transpose(Image.Transpose.ROTATE_90).save("turned.png", exif=exif)
    one, other = predict(model, [Path("upright.png"), Path("turned.png")])
    assert one["probabilities"] == other["probabilities"]


def test_predictions_are_written_where_that_is_asked_for_and_nowhere_else(
    model: Path, working_folder: Path
) -> None:
    file = paint(Path("some", "image.png"))
    done = typed("predict", str(model), str(file), "--to", "there")
    assert done.stderr == "Predictions of 1 image are in there.\n"
    (written,) = json.loads(Path("there", "predictions.json").read_text())
    assert written["image"] == str(file)
    assert [entry.name for entry in Path("there").iterdir()] == ["predictions.json"]
    refused = typed("predict", str(model), str(file), "--to", "there")
    assert refused.returncode == 2
    assert "there is there already and not empty" in refused.stderr
    typed("predict", str(model), str(file))
    assert sorted(entry.name for entry in Path().iterdir()) == ["some", "there"]


def test_pictures_of_equal_names_keep_apart(working_folder: Path) -> None:
    files = [paint(Path(folder, name)) for folder, name in (("a", "x.png"), ("b", "X.png"))]
    recipe = Path("model", "recipe.yaml")
    recipe.parent.mkdir()
    recipe.write_text(DETECTOR)
    box = {"class": "b", "score": 0.9, "x1": 1.0, "y1": 1.0, "x2": 9.0, "y2": 9.0}
    results = [{"image": str(file), "boxes": [box]} for file in files]
    for name in ("predictions", "predictions-2"):
        folder = predictions_folder(Path("model"))
        assert folder == Path(name)
        write_predictions(results, Path("model"), folder)
        names = sorted(entry.name for entry in folder.iterdir())
        assert names == ["X-2.jpg", "predictions.json", "x.jpg"]
        with Image.open(folder / "x.jpg") as picture:
            assert picture.size == (12, 16)
