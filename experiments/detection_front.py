"""What a joint search over network and heuristics finds for blood cells, and what that becomes.

Searches `spaces/small_detectors.yaml` with `detection_heuristics` under limits of size and latency
by short trainings; then the design that does best on the validation images is exported and trained
for longer by its own recipe, as a user does. The test images are looked at once, at the end.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from record import parser, report

import evonas
from evonas.runs import Run
from evonas.trial import Outcome

SPACE = Path(__file__).parent / "spaces" / "small_detectors.yaml"
SCORES = ("map50", "map50_95")


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--data", required=True, metavar="DIR", help="images with boxes")
    words.add_argument("--evaluations", type=int, default=40, help="of the search (%(default)s)")
    words.add_argument("--epochs", type=int, default=16, help="in the search (%(default)s)")
    words.add_argument("--final-epochs", type=int, default=160, help="of the best (%(default)s)")
    words.add_argument("--part", default="detection_heuristics", help="heuristics (%(default)s)")
    words.add_argument("--keep", type=Path, help="the folder of runs and models; else a new one")
    words.add_argument("settings", nargs="*", help="further settings of the search, KEY=VALUE")
    given = words.parse_args()
    with TemporaryDirectory() as name:
        folder = given.keep or Path(name)
        run = _searched(given, folder)
        report(given, {"search": _front(run), "best": _final(given, run, folder / "model")})


def _searched(given: Any, folder: Path) -> Run:
    words = [f"space={SPACE}+{given.part}", "data=detection", f"data.path={given.data}"]
    words += ["constraints.parameters.max=500000", "constraints.latency_ms.max=5"]
    words += [f"budget.evaluations={given.evaluations}", f"training.epochs={given.epochs}"]
    words += ["objectives=map50_95,latency_ms", "executor=local", "display=none"]
    return evonas.search([*words, *given.settings, f"run.folder={folder}"])


def _front(run: Run) -> dict[str, Any]:
    front = [outcome for _, outcome in run.front]
    knee = run.records.knee
    assert knee is not None, "a search that trained anything has a knee"
    keys = ("map50_95", "latency_ms", "size_mib", "parameters")
    return {
        "evaluations": run.records.evaluations,
        "seconds": run.seconds,
        "front": [_of(keys, outcome) for outcome in front],
        "knee": _of(keys, run.records.outcomes[knee]),
    }


def _of(keys: Sequence[str], outcome: Outcome) -> dict[str, float]:
    return {key: outcome.measures[key] for key in keys if key in outcome.measures}


def _final(given: Any, run: Run, model: Path) -> dict[str, Any]:
    exported = evonas.export(run, model, pick="best")
    blueprint = run.records.trials[exported["number"]].blueprint
    begin = time.process_time()
    settings = [f"training.epochs={given.final_epochs}", "training.keep=best"]
    trained = evonas.retrain(model, [*settings, f"data.path={given.data}"])
    return {
        "parameters": exported["measures"]["parameters"],
        "latency_ms": exported["latency"]["ms"],
        "epochs": trained["epochs"],
        "best_epoch": trained["best_epoch"],
        "cpu_seconds": round(time.process_time() - begin),
        "validation_map50_95": trained["validation_map50_95"],
        **{f"test_{name}": trained[f"test_{name}"] for name in SCORES},
        "test_table": trained["test_table"],
        "ladder": trained.get("compression", []),
        "recipe": dict(blueprint.training),
        "compression": dict(blueprint.compression),
    }


if __name__ == "__main__":
    main()
