"""What the default search for detectors comes to: its time, how busy workers are, its best design.

Runs `evonas search space=detector` and nothing else, or reads such a run by `--run`. Of the
best design's weights the measures are taken that the search did not keep.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from record import parser, report

import evonas
from evonas.data.cache import load_data
from evonas.evaluation.kit import recipe_of
from evonas.exporters.weights import read_weights
from evonas.models import build
from evonas.reports.summary import run_summary
from evonas.runs import Run
from evonas.runs.run_folder import weights_file
from evonas.training import evaluate

WORDS = ["space=detector", "display=none"]


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--run", type=Path, help="a finished run; without, one is made")
    given = words.parse_args()
    with TemporaryDirectory() as folder:
        if given.run:
            run = evonas.load_run(given.run)
        else:
            run = evonas.search([*WORDS, f"run.folder={folder}"])
        report(given, _told(run))


def _told(run: Run) -> dict[str, Any]:
    torch.set_num_threads(1)
    told = run_summary(run)
    best = run.best
    assert best is not None, "a search that trained anything has a best"
    trial, outcome = best
    scale = run.scales[0]
    data = load_data(run.settings.data, scale.resolution_px)
    network = build(trial.blueprint, scale, trial.seed)
    weights = weights_file(run.folder, trial.number)
    network.load_state_dict(read_weights(weights, outcome.notes.weights_sha256))
    recipe = recipe_of(run.settings.training, trial.blueprint)
    scores = evaluate(network, data.validation, data.problem, recipe)
    return {
        "evaluations": run.records.evaluations,
        "seconds": round(told["seconds"]),
        "utilisation": round(told["utilisation"], 3),
        "front": [each["measures"] for each in told["front"]],
        "best": {**outcome.measures, "map50": scores["map50"]},
    }


if __name__ == "__main__":
    main()
