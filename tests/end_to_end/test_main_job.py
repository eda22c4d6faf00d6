"""Search, inspect, export, predict, retrain, as a user types them, over real trainings."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import EVONAS, QUICK, in_onnxruntime, typed
from PIL import Image

TRAINED = ["data.subset=1000", "training.epochs=8"]


def test_the_folder_holds_what_is_needed_to_understand_the_run(run_copy: Path) -> None:
    assert "space: nano" in (run_copy / "config.yaml").read_text()
    assert "executor=inline" in (run_copy / "overrides.yaml").read_text()
    environment = json.loads((run_copy / "environment.json").read_text())
    assert environment["versions"]["torch"]
    summary = json.loads(typed("inspect", "finished", "--json").stdout)
    kept = {int(path.parent.name) for path in run_copy.glob("trials/*/weights.safetensors")}
    assert {member["number"] for member in summary["front"]} <= kept
    assert len(kept) <= 10 + len(summary["front"])


def test_resuming_a_finished_run_does_nothing_and_extending_it_does(run_copy: Path) -> None:
    again = typed("resume", "finished")
    assert again.returncode == 0
    assert json.loads(typed("inspect", "finished", "--json").stdout)["counts"]["complete"] == 14
    more = typed("resume", "finished", "budget.evaluations=+2", "--json")
    assert more.returncode == 0, more.stderr
    assert json.loads(more.stdout)["counts"]["complete"] == 16


@pytest.mark.slow
@pytest.mark.parametrize("scale", ["proxy", "full"])
def test_an_exported_model_needs_no_evonas(run_copy: Path, scale: str) -> None:
    result = typed("export", "finished", "--to", "model", "--scale", scale, "--json")
    assert result.returncode == 0, result.stderr
    exported = json.loads(result.stdout)
    assert all(Path(file).exists() for file in exported["files"])
    assert exported["checks"]["onnx_max_abs_difference"] <= 1e-4
    assert exported["checks"]["source_max_abs_difference"] <= 1e-4
    script = (
        "import sys, json; sys.modules['evonas'] = None\n"
        "import model\n"
        "print(json.dumps(model.load()(model.example_input())[0].tolist()))"
    )
    call = [sys.executable, "-c", script]
    printed = subprocess.run(call, cwd="model", capture_output=True, text=True, check=True).stdout
    recorded = json.loads(Path("model/check.json").read_text())["example_output"]
    np.testing.assert_allclose(json.loads(printed), recorded, atol=1e-5)
    card = Path("model/README.md").read_text()
    assert ("freshly initialised" in card) == (scale == "full")


@pytest.mark.slow
def test_proxy_export_has_the_accuracy_that_the_search_saw(run_copy: Path) -> None:
    exported = json.loads(
        typed(
            "export", "finished", "--to", "m", "--scale", "proxy", "--pick", "best", "--json"
        ).stdout
    )
    from evonas.data.cache import load_data
    from evonas.settings import DataSettings
    from evonas.tasks.normalisation import normalised

    data = load_data(DataSettings(subset=200), 16)
    import torch

    images = normalised(torch.from_numpy(data.validation.images.copy()), data.problem)
    logits = in_onnxruntime("m/model.onnx", images.contiguous()).numpy()
    accuracy = float((logits.argmax(1) == data.validation.targets).mean())
    assert accuracy == pytest.approx(exported["measures"]["accuracy"], abs=0.02)


@pytest.mark.slow
def test_retraining_goes_on_from_its_checkpoint_after_a_kill(run_copy: Path) -> None:
    typed("export", "finished", "--to", "whole", "--scale", "proxy", "--pick", "best")
    shutil.copytree("whole", "killed")
    # Timed choices may turn out another way: precision is named.
    words = ["data.subset=300", "training.epochs=8", "training.amp=off"]
    whole = json.loads(typed("retrain", "whole", *words, "--json").stdout)
    process = subprocess.Popen(
        [str(EVONAS), "retrain", "killed", *words], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("epoch 3/8"):
            process.kill()
            break
    process.wait()
    process.stderr.close()
    result = typed("retrain", "killed", *words, "--json")
    assert "Going on after epoch" in result.stderr
    killed = json.loads(result.stdout)
    assert killed["curve"] == whole["curve"]
    assert killed["test_accuracy"] == whole["test_accuracy"]
    for picture in ("curves.svg", "confusion.svg"):
        assert Path("killed", picture).read_bytes() == Path("whole", picture).read_bytes()
    assert not Path("killed/checkpoint.safetensors").exists()
    card = Path("killed/README.md").read_text()
    assert f"Test accuracy {killed['test_accuracy']:.4f}" in card


@pytest.mark.slow
def test_predict_reads_image_files(run_copy: Path) -> None:
    from sklearn.datasets import load_digits

    typed("export", "finished", "--to", "model", "--scale", "proxy", "--pick", "best")
    # Long enough that even a poor design of so short a search has learned most of its images.
    assert typed("retrain", "model", *TRAINED, "training.epochs=12").returncode == 0
    digits = load_digits()
    names = []
    for index in range(20):
        grey = (digits.images[index] * 255 / 16).astype(np.uint8)
        names.append(f"{index}.png")
        Image.fromarray(grey).save(names[-1])
    results = json.loads(typed("predict", "model", *names, "--json").stdout)
    right = sum(r["class"] == str(digits.target[i]) for i, r in enumerate(results))
    assert right >= 13, "two would be chance"
    Path("no.png").write_text("no image")
    wrong = typed("predict", "model", "no.png")
    assert wrong.returncode == 2
    assert "no.png is no image" in wrong.stderr


@pytest.mark.slow
def test_export_picks_within_limits_and_refuses_what_is_not_there(run_copy: Path) -> None:
    front = json.loads(typed("inspect", "finished", "--json").stdout)["front"]
    limit = sorted(member["measures"]["latency_ms"] for member in front)[0] * 1.0001
    words = ["--pick", "best", "--where", f"latency_ms.max={limit}"]
    result = typed("export", "finished", "--to", "fast", *words, "--json")
    assert json.loads(result.stdout)["measures"]["latency_ms"] <= limit
    for words, message in (
        (["--where", "accuracy.min=1.5"], "no complete design within accuracy.min=1.5"),
        (["--where", "accuracy"], '"accuracy" is no limit'),
        (["--pick", "worst"], "Write knee, best, balanced or a trial's number"),
        (["--scale", "half"], "Known: full, proxy"),
    ):
        refused = typed("export", "finished", "--to", "other", *words)
        assert refused.returncode == 2
        assert message in refused.stderr
    assert not Path("other").exists()
    again = typed("export", "finished", "--to", "fast")
    assert again.returncode == 2
    assert "not empty" in again.stderr


@pytest.mark.slow
def test_a_folder_of_colour_images_is_searched_exported_and_retrained(working_folder: Path) -> None:
    rng = np.random.default_rng(0)
    for label, colour in enumerate(("red", "green", "blue")):
        (working_folder / "images" / colour).mkdir(parents=True)
        for number in range(30):
            pixels = rng.integers(0, 90, (20, 24, 3), dtype=np.uint8)
            pixels[..., label] += 120
            Image.fromarray(pixels).save(working_folder / "images" / colour / f"{number}.png")
    words = ["space=nano", "data=folder", "data.path=images", "training.epochs=2"]
    more = ["executor=inline", "budget.evaluations=4", "run.name=colours", "training.batch_size=8"]
    assert typed("search", *words, *more).returncode == 0
    assert typed("export", "colours", "--to", "model").returncode == 0
    result = typed("retrain", "model", "training.epochs=10", "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["test_accuracy"] >= 0.9
    predicted = json.loads(typed("predict", "model", "images/red/0.png", "--json").stdout)
    assert predicted[0]["class"] == "red"


@pytest.mark.slow
def test_a_constraint_that_nothing_meets_is_said() -> None:
    words = [*QUICK, "executor=inline", "evolver=random", "run.name=none"]
    result = typed("search", *words, "constraints.parameters.max=10")
    assert result.returncode == 1
    assert "found no feasible design: no feasible design found" in result.stderr
    assert re.search(r"nearest: parameters is \d+, at most 10 is asked", result.stderr)
