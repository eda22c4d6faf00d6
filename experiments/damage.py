"""Damages of run folders and model folders: each command ends right, or tells what is damaged.

Every damage is done to a copy, on which the commands are called in this process; the worst end of
them counts. `right`: the result is that of the undamaged folder; `told`: an EvonasError;
`traceback`: any other exception; `silent`: success with another result.
"""

import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import damage_of_models
import damage_of_runs
import numpy as np
from PIL import Image
from record import parser, report

from evonas.delivery.export import export
from evonas.runs.run import load_run

VERDICTS = ("traceback", "silent", "told", "right")  # from the worst on
SHARE_OF_RUNS = 0.6


def worst(ends: Iterable[str]) -> str:
    """The worst end of several commands."""
    return min(ends, key=VERDICTS.index)


def tally(rows: Iterable[dict[str, Any]]) -> dict[str, int]:
    """How many damages came to which end."""
    found = Counter(worst(row["ends"].values()) for row in rows)
    counts = {end: found[end] for end in ("right", "told", "traceback", "silent")}
    return {"tried": found.total(), **counts}


def damages(of_runs: int, of_models: int, seed: int = 0) -> dict[str, Any]:
    """So many damages of a finished run and of the model that is exported from it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run = damage_of_runs.whole_run(folder / "runs")
        export(load_run(run), folder / "models" / "whole", scale="proxy")
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(folder / "image.png")
        model, image = folder / "models" / "whole", folder / "image.png"
        rows = {
            "runs": list(damage_of_runs.damaged(run, of_runs, seed)),
            "models": list(damage_of_models.damaged(model, image, of_models, seed)),
        }
    together = [row for part in rows.values() for row in part]
    bad = [row for row in together if worst(row["ends"].values()) in ("traceback", "silent")]
    parts = {part: tally(found) for part, found in rows.items()}
    return {**tally(together), **parts, "seed": seed, "bad": bad}


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--damages", type=int, default=1000)
    words.add_argument("--seed", type=int, default=0)
    given = words.parse_args()
    of_runs = round(SHARE_OF_RUNS * given.damages)
    report(given, damages(of_runs, given.damages - of_runs, given.seed))


if __name__ == "__main__":
    main()
