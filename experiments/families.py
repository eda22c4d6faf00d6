"""Which families of networks the front of a search is made of, with their measured latencies.

One search each over `conv_zoo` and `residual_stages` (or over `--spaces`), for accuracy and
latency on images of a folder, or of detectors for map50_95 and latency on images with boxes, or on
`data=shapes` without `--data`. A design belongs to the family that most of its layers are of: their
operation; a detector to that of its neck and head; and for residual ones what is added to a plain
ResNet: `resnest` (split attention), `resnext` (groups), `se_resnet`, `preact_resnet`,
`wide_resnet`. `shares` counts the members of the front, `shares_of_all` all designs that were
trained.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from record import parser, report

from evonas.driver import search
from evonas.networks.stages.section import ends_open
from evonas.runs import Run
from evonas.space import load_space

SPACES = ("conv_zoo", "residual_stages")
RESIDUAL = ("residual", "bottleneck")
OF_NECK = {"passthrough": ("yolov2", "yolov2"), "extras": ("ssd", "ssd")}  # and its usual head
PLAIN_MID_RATIO = {"residual": 1.0, "bottleneck": 0.25}


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--data", type=Path, help="a folder of images by classes, or with boxes")
    words.add_argument("--subset", type=int, default=4000, help="images at most (%(default)s)")
    words.add_argument("--spaces", nargs="+", default=SPACES)
    words.add_argument("--evaluations", type=int, default=48, help="(%(default)s)")
    words.add_argument("settings", nargs="*", help="settings of the searches, KEY=VALUE")
    given = words.parse_args()
    report(given, {space: searched(space, given) for space in given.spaces})


def searched(space: str, given: Any) -> dict[str, Any]:
    """What came of a search over one space."""
    finds_boxes = load_space(space).template["network"]["builder"] == "detector"
    reader, score = ("detection", "map50_95") if finds_boxes else ("folder", "accuracy")
    data = [f"data={reader}", f"data.path={given.data}"] if given.data else ["data=shapes"]
    run = search(
        [
            f"space={space}",
            *data,
            f"data.subset={given.subset}",
            f"objectives={score},latency_ms",
            f"budget.evaluations={given.evaluations}",
            f"run.folder={mkdtemp()}",
            f"run.name={space}",
            *given.settings,
        ]
    )
    families = [family(run, trial.chromosome) for trial, _ in run.front]
    measured = [outcome.measures for _, outcome in run.front]
    done = [trial for trial, outcome in run.trials() if outcome is not None]
    return {
        "shares": shares(families),
        "shares_of_all": shares(family(run, trial.chromosome) for trial in done),
        "front": [
            {"family": name, **measures} for name, measures in zip(families, measured, strict=True)
        ],
    }


def family(run: Run, chromosome: Any) -> str:
    """The family that most layers of a design are of, or that of a detector."""
    network = run.space.decode(chromosome).network
    if network["builder"] == "detector":
        return family_of_detector(network)
    stages = network["stages"]
    layers = [name for stage in stages for name in [family_of(stage)] * stage["layers"]]
    return Counter(layers).most_common(1)[0][0]


def family_of_detector(network: Mapping[str, Any]) -> str:
    """The published detector that has its neck, and that of its head, if it is another."""
    neck, head = network["neck"], network["head"].get("kind", "yolov3")
    name, usual = OF_NECK.get(neck["kind"], (neck["kind"], "yolov3"))
    fused = "+asff" if neck.get("asff") else ""
    return f"{name}{fused}" + ("" if head == usual else f" with head of {head}")


def family_of(stage: Mapping[str, Any]) -> str:
    """The family of a stage's layers."""
    operation: str = stage["operation"]
    if operation not in RESIDUAL:
        return operation
    if stage.get("radix"):
        return "resnest"
    if stage.get("groups", 1) > 1:
        return "resnext"
    if stage.get("se_ratio"):
        return "se_resnet"
    if ends_open(stage):
        return "preact_resnet"
    is_wide = stage["mid_ratio"] > PLAIN_MID_RATIO[operation] if "mid_ratio" in stage else False
    return "wide_resnet" if is_wide else "resnet"


def shares(families: Iterable[str]) -> dict[str, float]:
    """Of each family, the most frequent first."""
    counted = Counter(families)
    return {name: round(n / counted.total(), 3) for name, n in counted.most_common()}


if __name__ == "__main__":
    main()
