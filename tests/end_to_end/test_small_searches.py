"""Small searches over the spaces that are not the default one, and what comes of them."""

import json
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
from conftest import typed

QUICK = ["data.subset=100", "training.epochs=1", "executor=inline", "display=none"]
QUICK += ["run.name=small", "full.resolution_px=32"]

# NASNet-A mobile has 5,289,978 parameters with 3 input channels and 1000 classes. The 32 filters
# of its stem lose two channels of 3 x 3 weights, its classifier 990 rows of 1056 weights and bias.
NASNET_A_ON_DIGITS = 5_289_978 - 2 * 9 * 32 - 990 * (1056 + 1)


def result_of(*words: str) -> Any:
    result = typed(*words, "--json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("space", "limit"),
    [
        ("conv_zoo", "constraints.parameters.max=5000000"),
        ("darts_cells", "constraints.macs.max=1000000000"),
        ("nas_bench_201", "constraints.macs.max=1000000000"),
    ],
)
def test_a_small_search_ends_with_a_front(space: str, limit: str) -> None:
    found = result_of("search", f"space={space}", limit, "budget.evaluations=3", *QUICK)
    assert found["status"] == "finished"
    assert found["counts"]["complete"] >= 3
    assert found["front"]


@pytest.mark.slow
def test_a_nasnet_winner_is_exported_with_the_parameters_of_its_genotype_and_retrained() -> None:
    start = "evolver.start=nasnet_a_mobile"
    found = result_of("search", "space=nasnet_cells", "budget.evaluations=2", start, *QUICK)
    assert found["front"]
    exported = result_of("export", "small", "--to", "model", "--pick", "0", "--scale", "full")
    assert exported["measures"]["parameters"] == NASNET_A_ON_DIGITS
    assert max(exported["checks"].values()) <= 1e-4
    weights = safetensors.torch.load_file(Path("model") / "weights.safetensors")
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    trained = [w for name, w in weights.items() if not name.endswith(statistics)]
    assert sum(w.numel() for w in trained) == NASNET_A_ON_DIGITS
    retrained = result_of("retrain", "model", "training.epochs=1", "data.subset=100")
    assert retrained["epochs"] == 1
    assert 0 <= retrained["test_accuracy"] <= 1
