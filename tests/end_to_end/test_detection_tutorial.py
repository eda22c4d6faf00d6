"""The page on detection works as it is typed, on a small set and with budgets made small."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY, typed
from PIL import Image

from evonas.data.shapes import read_shapes
from evonas.settings import DataSettings

PAGE = (REPOSITORY / "docs" / "detection.md").read_text(encoding="utf-8")
SIDE = 96
PARTS = ("train", "train", "train", "val", "test")
# What is added to the commands of the page, so that they take seconds.
SEARCH = ["executor=inline", "training.epochs=1", f"full.resolution_px={SIDE}", "latency.spread=1"]
SMALLER: Mapping[str, list[str]] = {
    "doctor": SEARCH,
    "search": [*SEARCH, "budget.evaluations=2", "display=plain"],
    "export": ["--pick", "0"],  # has no one-to-one branch: something is suppressed
    # So little a training is sure of nothing: everything that it says is drawn.
    "retrain": ["training.epochs=4", "training.keep=last", "training.confidence=0.001"],
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def draw_yolo_set(root: Path, images: int = 60) -> tuple[str, ...]:
    """Pictures of shapes with their boxes, labelled as in YOLO; the classes."""
    shapes = {"images": images, "classes": 2, "most": 3, "resolution_px": SIDE}
    source = read_shapes(DataSettings.model_validate({"name": "shapes", "shapes": shapes}), SIDE)
    whole = source.development
    for number, (picture, rows) in enumerate(zip(whole.images, whole.targets, strict=True)):
        part = PARTS[number % len(PARTS)]
        lines = [
            f"{int(row[0])} {' '.join(f'{value / SIDE:.6f}' for value in _centred(row[1:]))}\n"
            for row in rows
            if row[0] >= 0
        ]
        for kind in ("images", "labels"):
            (root / kind / part).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.transpose(1, 2, 0)).save(root / "images" / part / f"{number}.png")
        (root / "labels" / part / f"{number}.txt").write_text("".join(lines))
    parts = "".join(f"{part}: images/{part}\n" for part in dict.fromkeys(PARTS))
    (root / "data.yaml").write_text(f"{parts}names: [{', '.join(source.classes)}]\n")
    return source.classes


def _centred(corners: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    return np.concatenate([(corners[:2] + corners[2:]) / 2, corners[2:] - corners[:2]])


@pytest.mark.slow
def test_the_page_leads_from_boxes_to_drawn_pictures(working_folder: Path) -> None:
    classes = draw_yolo_set(working_folder / "my-boxes")
    with Image.open("my-boxes/images/test/4.png") as picture:
        photo = picture.resize((200, 120))
    photo.save("photo.jpg", quality=95)
    for line in blocks("sh")[0].splitlines():
        program, command, *words = shlex.split(line)
        result = typed(command, *words, *SMALLER.get(command, ()))
        print(f"$ {line}\n{result.stdout}{result.stderr}")
        assert program == "evonas"
        clock_alone = command == "doctor" and result.stdout.count("bad ") == 1
        assert result.returncode == 0 or clock_alone, result.stderr

    card = Path("model/README.md").read_text()
    for word in (*classes, "examples.png", "model_nms.onnx", "mAP50-95", "detect(network, images"):
        assert word in card
    with Image.open("model/examples.png") as sheet:
        assert sheet.width > SIDE
    (told,) = json.loads(Path("predictions/predictions.json").read_text())
    assert told["image"] == "photo.jpg"
    assert told["boxes"]
    for box in told["boxes"]:
        assert box["class"] in classes
        assert 0 <= box["x1"] <= box["x2"] <= 200
        assert 0 <= box["y1"] <= box["y2"] <= 120
    with Image.open("predictions/photo.jpg") as drawn:
        assert drawn.size == photo.size
        assert np.abs(np.asarray(drawn, int) - np.asarray(photo, int)).max() > 60

    program = "\n".join(blocks("python")) + (
        "torch.testing.assert_close(torch.tensor(onnx_scores), scores, atol=1e-3, rtol=0)\n"
        "apart = torch.cdist(torch.tensor(onnx_boxes), boxes, p=torch.inf).amin(1)\n"
        "assert apart.median() < 0.1, apart\n"  # in any order: many scores are equal
    )
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, cwd="model", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    assert len(done.stdout.splitlines()) == len(told["boxes"])
    assert done.stdout.split()[0] in classes
