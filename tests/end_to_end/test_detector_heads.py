"""Detectors of every head in one search: each trains, is exported, and finds something."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import SHAPES, typed
from PIL import Image

from evonas.networks.detector.heads import HEADS

pytestmark = pytest.mark.slow

SPACE = """\
title: Small detectors of every head
scales:
  proxy: {resolution_px: 32}
  full: {resolution_px: 32}
network:
  builder: detector
  activation: leaky
  backbone:
    stem: {channels: 8, kernel: 3, stride: 2}
    stages:
      - &stage
        operation: conv
        kernel: 3
        se_ratio: 0
        skip: none
        channels: 8
        layers: 1
        stride: 2
      - {<<: *stage, channels: 16}
  levels: 2
  neck: {kind: {choice: [none, yolov3]}, width: 16, depth: 1}
  head: {kind: {choice: [HEADS]}}
"""
QUICK = ["training.epochs=1", "executor=inline", "display=none", "objectives=map50_95,macs"]


def result_of(*words: str) -> Any:
    result = typed(*words, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def first_of_each_head(designs: int) -> dict[str, int]:
    """The number of a trial by its head."""
    genes = [result_of("inspect", "heads", "--trial", str(n))["genes"] for n in range(designs)]
    heads = [each["network.head.kind"] for each in genes]
    return {head: heads.index(head) for head in heads}


def test_a_search_over_all_heads_gives_detectors_that_work(working_folder: Path) -> None:
    (working_folder / "heads.yaml").write_text(SPACE.replace("HEADS", ", ".join(HEADS)))
    designs = 2 * len(HEADS)
    words = ["space=./heads.yaml", *SHAPES, *QUICK, f"budget.evaluations={designs}"]
    found = result_of("search", *words, "run.name=heads")
    assert (found["counts"]["complete"], found["counts"]["failed"]) == (designs, 0)
    Image.new("RGB", (40, 30), "white").save("white.png")
    numbers = first_of_each_head(designs)
    assert numbers.keys() == HEADS.keys()
    for head in HEADS.keys() - {"anchor_free"}:  # which all other tests have
        pick = ("--pick", str(numbers[head]), "--scale", "proxy")
        exported = result_of("export", "heads", "--to", head, *pick)
        assert exported["checks"]["onnx_max_abs_difference"] < 1e-3, head
        assert result_of("predict", head, "white.png", "--to", f"{head}-found")
    assert_retrained_and_compressed(Path("yolov3"))


def assert_retrained_and_compressed(folder: Path) -> None:
    """Narrower, in 8 bits, and with the anchors of its training in its recipe."""
    steps = ["compression.pruning.method=channels", "compression.quantisation.method=int8"]
    words = ["training.epochs=1", "compression.pruning.epochs=0", *steps]
    forms = result_of("retrain", str(folder), *words)["compression"]["forms"]
    assert [form["form"] for form in forms] == ["fp32", "pruned", "int8"]
    assert forms[0]["macs"] > forms[1]["macs"]
    recipe = yaml.safe_load((folder / "recipe.yaml").read_text())
    areas = [width * height for width, height in recipe["training"]["anchors"]]
    assert len(areas) == 2 * 3  # levels and anchors of each
    assert areas == sorted(areas)
