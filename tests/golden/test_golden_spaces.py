"""What chromosomes of the shipped spaces mean: a changed golden file is a changed search.

After a change that is meant, rewrite the files with

    EVONAS_REWRITE_GOLDEN=1 python -m pytest tests/golden

and tell of it in the changelog: old runs and old model folders are then of another space.
"""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evonas.space import load_space, network_key

HERE = Path(__file__).parent
SPACES = (
    "compression",
    "conv_zoo",
    "darts_cells",
    "dense_stages",
    "detection_heuristics",
    "detector",
    "image_heuristics",
    "mobile_cells",
    "mobile_layers",
    "nano",
    "nas_bench_201",
    "nas_bench_macro",
    "nasnet_cells",
    "residual_stages",
    "yolo_family",
)
JOINED = {  # what is no space by itself
    "compression": "nano+compression",
    "detection_heuristics": "detector+detection_heuristics",
    "image_heuristics": "nano+image_heuristics",
}
SEEDS = range(5)


def meaning(space_name: str) -> list[dict[str, Any]]:
    space = load_space(space_name)
    records = []
    for seed in SEEDS:
        chromosome = space.sample(np.random.default_rng(seed))
        blueprint = space.decode(chromosome)
        records.append(
            {
                "chromosome": list(chromosome),
                "fingerprint": blueprint.fingerprint,
                "network_key": {n: network_key(blueprint, s) for n, s in space.scales.items()},
                "blueprint": blueprint.to_dict(),
            }
        )
    return records


@pytest.mark.parametrize("space_name", SPACES)
def test_chromosomes_mean_what_they_always_meant(space_name: str) -> None:
    file = HERE / f"{space_name}.json"
    found = meaning(JOINED.get(space_name, space_name))
    if os.environ.get("EVONAS_REWRITE_GOLDEN"):
        file.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(file.read_text(encoding="utf-8"))


def test_every_shipped_space_has_a_golden_file() -> None:
    shipped = {file.stem for file in (HERE.parent.parent / "search_spaces").glob("*.yaml")}
    assert shipped == set(SPACES) == {file.stem for file in HERE.glob("*.json")}
