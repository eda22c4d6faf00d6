"""The doctor tries out a real machine: what it says must be so."""

import json
import re
from pathlib import Path

import pytest
import torch
from conftest import typed
from PIL import Image

from evonas.data.cache import load_data
from evonas.hardware.device import products_of_8_bits
from evonas.settings import DataSettings

SMALL = ["space=nano", "data.subset=200", "executor=inline"]


@pytest.fixture(scope="module")
def healthy() -> dict[str, dict[str, object]]:
    result = typed("doctor", *SMALL, "budget.evaluations=300", "latency.spread=10", "--json")
    assert result.returncode == 0, result.stdout + result.stderr
    return {check["name"]: check for check in json.loads(result.stdout)["checks"]}


def test_every_part_of_a_search_is_looked_at(healthy: dict[str, dict[str, object]]) -> None:
    of_machine = ["versions", "cores", "gpu", "runtimes", "int8"]
    assert list(healthy) == [*of_machine, "data", "clock", "trial", "speed", "estimate"]
    assert all(check["ok"] is True for check in healthy.values())
    data = load_data(DataSettings(subset=200), 16)
    weights = 7 if products_of_8_bits() is None else 8
    assert f"weights of {weights} bits" in str(healthy["int8"]["detail"])
    parts = f"{len(data.train)}/{len(data.validation)}/{len(data.test)} images to train, validate"
    assert parts in str(healthy["data"]["detail"])
    assert "2 trials, train through inline" in str(healthy["trial"]["detail"])


def test_the_estimate_is_of_the_search_that_is_meant(
    healthy: dict[str, dict[str, object]],
) -> None:
    detail = str(healthy["estimate"]["detail"])
    assert re.fullmatch(r"300 evaluations take about .* and \d+ MiB", detail)


def test_it_leaves_no_run_behind() -> None:
    typed("doctor", *SMALL, "latency.spread=10")
    assert typed("runs", "--json").stdout.strip() == "[]"


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("executor.gpus_per_trial=1", "executor.gpus_per_trial=1.0 asks for a GPU"),
        ("latency.runtime=cuda", "latency.runtime=cuda: it needs an NVIDIA GPU"),
    ],
)
def test_what_the_machine_lacks_is_told_before_anything_is_tried(word: str, message: str) -> None:
    result = typed("doctor", *SMALL, word)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_what_does_not_work_is_named_and_the_exit_code_tells() -> None:
    Path("mine.py").write_text("def fails(blueprint): raise ValueError('no luck')\n")
    words = ("evaluator=python", "evaluator.function=mine:fails", "objectives=score:max")
    result = typed("doctor", "space=nano", "executor=inline", *words)
    assert result.returncode == 1
    assert "bad  trial     ValueError: no luck, in mine.py (line 1)" in result.stdout


def test_wrong_words_are_told_before_anything_is_tried() -> None:
    result = typed("doctor", "spaec=nano")
    assert result.returncode == 2
    assert 'Did you mean "space"?' in result.stderr
    assert result.stdout == ""


def write_boxes(folder: Path, changed: str) -> None:
    """Forty pictures with a box, labelled as in YOLO; the first label is changed."""
    folder.mkdir()
    for number in range(40):
        Image.new("L", (16, 16), 6 * number).save(folder / f"{number:02}.png")
        text = "0 0.5 0.5 0.4 0.4" if number else changed
        (folder / f"{number:02}.txt").write_text(text)
    (folder / "data.yaml").write_text("names: [thing]\ntrain: .\n")


DETECTION = ["space=detector", "data=detection", "data.path=boxes", "executor=inline"]


def test_labels_that_no_search_goes_on_with_are_told_by_kind_with_all_others() -> None:
    write_boxes(Path("boxes"), "0 0.5 0.5 0 0.4\n0 0.9 0.5 0.8 0.4\n3 0.5 0.5 0.4 0.4")
    Path("boxes/01.png").write_bytes(b"no image")
    result = typed("doctor", *DETECTION)
    place = Path("boxes").absolute()
    assert result.returncode == 1
    assert result.stderr == ""
    assert result.stdout.splitlines() == [
        f"bad  labels    1 label of an unknown class: {place}/00.txt, line 3: class 3, and "
        "data.yaml has 0 to 0.",
        f"bad  labels    1 damaged image: {place}/01.png is no image that can be read: it is none "
        "of AVIF, BMP, DIB, GIF, ICO, JPEG, JPEG2000, PNG, PPM, TIFF, WEBP.",
    ]
    refused = typed("search", *DETECTION)
    assert refused.returncode == 2
    assert f"{place}/00.txt, line 3: class 3, and data.yaml has 0 to 0." in refused.stderr
