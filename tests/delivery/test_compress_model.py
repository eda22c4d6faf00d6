"""A trained model made smaller or faster without a search, and a retraining that does it too."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from conftest import typed
from PIL import Image
from plain_steps import plain_steps
from small_model import WORDS, made, model

from evonas import compress, predict
from evonas.delivery.final_training import CHECKPOINT
from evonas.delivery.measure import latency_summary
from evonas.delivery.retrain import retrain
from evonas.errors import BuildError, ExportError, SettingsError
from evonas.exporters.file_names import (
    CARD,
    CHECK,
    CONFUSION,
    CURVES,
    FACTS,
    ONNX,
    ONNX_INT8,
    PACKED,
    RECIPE,
    SOURCE,
    WEIGHTS,
)
from evonas.model_folder.model_folder import ModelFolder
from evonas.reports.epochs import EpochLines

__all__ = ["made", "model", "plain_steps"]  # fixtures

pytestmark = pytest.mark.usefixtures("plain_steps")

PRUNE = "compression.pruning.method=channels"
INT8 = "compression.quantisation.method=int8"
PACK = "compression.quantisation.method=weights"


@pytest.fixture(scope="module")
def trained_once(made: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = Path(shutil.copytree(made, tmp_path_factory.mktemp("trained") / "model"))
    retrain(folder, WORDS)
    return folder


@pytest.fixture
def trained(trained_once: Path, working_folder: Path) -> Path:
    """A model with trained weights, in the working folder as `model`."""
    return Path(shutil.copytree(trained_once, "model"))


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def found(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text())


def channels(folder: Path) -> int:
    return int(found(folder, FACTS)["section"]["head"]["channels"])


@pytest.mark.slow
def test_what_a_model_is_compressed_to_is_a_folder_of_its_own(trained: Path) -> None:
    before = contents(trained)
    result = typed("compress", "model", PRUNE, INT8, "--json")
    assert result.returncode == 0, result.stderr
    said = json.loads(result.stdout)
    assert contents(trained) == before
    place = Path("model-compressed")
    assert said["folder"] == str(place.absolute())
    assert channels(place) == channels(trained) - 8
    forms = said["forms"]
    assert [form["form"] for form in forms] == ["fp32", "pruned", "int8"]
    assert [form["file"] for form in forms] == [ONNX, ONNX, ONNX_INT8]
    assert forms[0]["macs"] > forms[1]["macs"] == forms[2]["macs"]
    assert all(form["latency_ms"] > 0 and 0 <= form["accuracy"] <= 1 for form in forms)
    assert forms[0]["size_mib"] == pytest.approx((trained / ONNX).stat().st_size / 2**20, rel=0.01)
    assert forms[2]["size_mib"] == (place / ONNX_INT8).stat().st_size / 2**20
    assert found(place, CHECK)["compression"]["within_a_quantum"] == 1
    assert found(place, CHECK)["compression"]["forms"] == forms
    assert found(place, "training.json")["test_accuracy"] == forms[2]["accuracy"]
    assert (place / CURVES).read_bytes() == (trained / CURVES).read_bytes()
    assert (place / CONFUSION).is_file()
    card = (place / CARD).read_text()
    for words in ("| pruned | model.onnx |", "| int8 | model.int8.onnx |", "359 test images"):
        assert words in card


@pytest.mark.slow
def test_the_model_of_8_bits_is_what_predicts_and_what_is_timed(trained: Path) -> None:
    place = compress(trained, [INT8])["folder"]
    Image.new("L", (8, 8)).save("image.png")
    (said,) = predict(place, ["image.png"])
    assert said["model"] == ONNX_INT8
    assert "model" not in predict(trained, ["image.png"])[0]
    shown = typed("predict", place, "image.png").stdout
    assert said["class"] in shown
    assert ONNX_INT8 not in shown
    timed = latency_summary(place, ["latency.limit_s=0.1"])
    assert (timed["file"], timed["precision"]) == (ONNX_INT8, "int8")
    assert latency_summary(str(trained), ["latency.limit_s=0.1"])["file"] == ONNX
    (Path(place) / ONNX_INT8).write_bytes(b"no model")
    with pytest.raises(ExportError, match=r"model\.int8\.onnx is not as evonas wrote it"):
        predict(place, ["image.png"])
    with pytest.raises(ExportError, match="is no ONNX model that works"):
        predict(place, ["image.png"], trust=True)


@pytest.mark.slow
def test_folders_are_numbered_and_none_is_written_over(trained: Path) -> None:
    names = [Path(compress(trained, [PACK])["folder"]).name for _ in range(2)]
    assert names == ["model-compressed", "model-compressed-2"]
    for place in ("model", "model-compressed"):
        result = typed("compress", "model", PACK, "--to", place)
        assert result.returncode == 2
        assert f"{place} is there already and not empty" in result.stderr


@pytest.mark.slow
def test_packed_weights_are_told_to_be_smaller_and_not_faster(trained: Path) -> None:
    result = typed("compress", "model", PACK, "--to", "there")
    assert result.returncode == 0, result.stderr
    assert "8-bit weights" in result.stdout
    assert "smaller and nothing faster" in " ".join(result.stdout.split())
    assert "smaller and nothing faster" in " ".join(Path("there", CARD).read_text().split())
    one, other = found(Path("there"), CHECK)["compression"]["forms"]
    assert other["file"] == PACKED
    assert other["latency_ms"] == one["latency_ms"]
    assert found(Path("there"), CHECK)["packed_max_abs_difference"] < 1e-6
    program = (
        "from pathlib import Path\n"
        "from model import load, load_packed\n"
        "network, weights = load(), load_packed(Path('packed.safetensors'))\n"
        "assert not network.load_state_dict(weights, strict=False).unexpected_keys\n"
    )
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, cwd="there", capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("words", "kind", "message"),
    [
        ([], SettingsError, r"Nothing is asked for.*pruning.method=channels\|.*int8\|"),
        (
            ["compression.quant_noise.method=pq"],
            SettingsError,
            "acts while a network is trained.*evonas retrain model compression.quant_noise",
        ),
        (["compression.pruning.methd=depth"], SettingsError, 'Did you mean "method"'),
        ([PRUNE, "evolver.population=4"], SettingsError, "a compression takes data"),
        ([PRUNE, "data=synthetic"], SettingsError, "takes 1 channel"),
        ([PRUNE, "compression.pruning.ratio=0.6"], ExportError, "diverged.*pruning.epochs"),
    ],
    ids=str,
)
def test_what_cannot_be_is_told_and_nothing_is_written(
    trained: Path, words: list[str], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        compress(trained, words)
    assert [entry.name for entry in Path().iterdir()] == ["model"]


def test_fresh_weights_are_not_compressed(model: Path) -> None:
    text = (model / RECIPE).read_text()
    (model / RECIPE).write_text(text.replace("scale: proxy", "scale: full"))
    result = typed("compress", "model", INT8)
    assert result.returncode == 2
    assert "Retrain it first: evonas retrain model" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_folder_that_does_not_say_what_it_is_built_from_is_refused(trained: Path) -> None:
    facts = found(trained, FACTS)
    for section, message in (
        (None, "earlier evonas"),
        ({"builder": "stages"}, "does not describe"),
    ):
        (trained / FACTS).write_text(json.dumps({**facts, "section": section}))
        with pytest.raises(ExportError, match=message):
            compress(trained, [INT8], trust=True)


@pytest.mark.slow
def test_a_pruned_model_is_pruned_on_from_there(trained: Path) -> None:
    one = compress(trained, [PRUNE])["folder"]
    two = Path(compress(one, [PRUNE, PACK])["folder"])
    assert channels(two) == channels(trained) - 16
    done = found(two, FACTS)["compressed"]
    assert {*done} == {"pruning", "quantisation"}
    assert {*ModelFolder.open(two, ()).recipe.compression.meant()} == {*done}


@pytest.mark.slow
def test_a_retraining_takes_the_steps_of_the_recipe_behind_the_training(model: Path) -> None:
    before, source = channels(model), (model / SOURCE).read_bytes()
    result = retrain(model, [*WORDS, PRUNE, INT8])
    forms = result["compression"]["forms"]
    assert [form["form"] for form in forms] == ["fp32", "pruned", "int8"]
    assert result["test_accuracy"] == forms[-1]["accuracy"]
    assert channels(model) == before - 8
    assert (model / SOURCE).read_bytes() != source
    pruned = ModelFolder.open(model, ()).recipe.compression
    assert (pruned.pruning.method, pruned.quantisation.method) == ("channels", "int8")
    # What made model.py what it is is not done again; 8 bits are those of the new weights.
    again = retrain(model, WORDS)["compression"]["forms"]
    assert [form["form"] for form in again] == ["fp32", "int8"]
    assert channels(model) == before - 8
    further = retrain(model, [*WORDS, "compression.pruning.ratio=0.4", "training.epochs=1"])
    assert [form["form"] for form in further["compression"]["forms"]] == ["fp32", "pruned", "int8"]
    assert channels(model) == before - 16
    plain = retrain(model, [*WORDS, "compression.pruning.method=none", f"{INT8[:-4]}none"])
    assert "compression" not in plain
    assert not (model / ONNX_INT8).exists()


@pytest.mark.slow
def test_a_retraining_that_ends_while_it_compresses_goes_on_behind_the_training(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = Path(shutil.copytree(model, "whole"))
    words = [*WORDS, PRUNE, PACK]
    with pytest.raises(ExportError, match="diverged"):
        retrain(model, [*words, "compression.pruning.ratio=0.6"])
    assert (model / CHECKPOINT).exists()
    retrain(model, words, display=EpochLines())
    assert "Going on after epoch 3" in capsys.readouterr().err
    assert not (model / CHECKPOINT).exists()
    retrain(whole, words)
    for name in (WEIGHTS, PACKED, SOURCE, RECIPE):
        assert (model / name).read_bytes() == (whole / name).read_bytes(), name


@pytest.mark.slow
def test_what_acts_in_the_training_begins_it_anew(
    model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExportError, match="diverged"):
        retrain(model, [*WORDS, PRUNE, "compression.pruning.ratio=0.6"])
    retrain(model, [*WORDS, "compression.quant_noise.method=int8"], display=EpochLines())
    assert "training begins from the start" in capsys.readouterr().err
    assert found(model, FACTS)["compressed"]["quant_noise"]["method"] == "int8"
    assert not found(model, CHECK).get("compression")


def test_a_step_that_does_not_fit_is_told_before_the_training(model: Path) -> None:
    facts = found(model, FACTS)
    facts["section"]["head"]["channels"] = 8
    (model / FACTS).write_text(json.dumps(facts))
    with pytest.raises(BuildError, match="eight channels alone"):
        retrain(model, [*WORDS, PRUNE], trust=True)
    assert not (model / CHECKPOINT).exists()


def test_a_changed_source_is_not_what_steps_can_work_on(model: Path) -> None:
    with open(model / SOURCE, "a") as file:
        file.write("\n")
    with pytest.raises(ExportError, match=r"model\.py is not as evonas wrote it, and compression"):
        retrain(model, [*WORDS, INT8], trust=True)


def test_a_recipe_says_nothing_of_compression_where_nothing_is_asked(model: Path) -> None:
    assert "compression" not in (model / RECIPE).read_text()
