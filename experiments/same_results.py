"""Small searches, exports and counts at this commit and at another one, compared bit for bit.

A change that means to change no result proves it by `--against` the commit that it began with.
Whatever both commits tell is compared: trials with chromosomes, fingerprints, measures and
curves; the weights, blueprint, recipe and ONNX file of an exported design, and what its model.py
computes; counts and fingerprints of all published networks; sizes of all spaces. Keys that one
commit alone has are no difference. A change that means to change results names their kinds by
`--update KIND...` and says so in the changelog; all else must be equal.
"""

import hashlib
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from checkouts import COUNT, COUNTED, HERE, checked_out, evonas_in, is_changed_since, python_in
from record import parser, report

SEARCH = """
import json, sys
import evonas

found = {}
for name, words in json.load(sys.stdin).items():
    found[name] = [
        {
            "number": trial.number, "chromosome": trial.chromosome, "seed": trial.seed,
            "fingerprint": trial.blueprint.fingerprint, "parents": trial.parents,
            "operator": trial.operator, "rung": trial.rung, "status": outcome.status,
            "measures": dict(outcome.measures), "curve": outcome.curve,
            "error": outcome.error_kind,
        }
        for trial, outcome in evonas.search(words).trials()
    ]
print(json.dumps(found))
"""
OUTPUTS = """
import hashlib, sys
sys.path.insert(0, sys.argv[1])
import model
outputs = model.load()(model.example_input())
print(hashlib.sha256(outputs.detach().numpy().tobytes()).hexdigest())
"""
SPACES = (
    "mobile_cells",
    "mobile_layers",
    "nasnet_cells",
    "darts_cells",
    "residual_stages",
    "dense_stages",
    "conv_zoo",
    "nas_bench_201",
    "nas_bench_macro",
    "nano",
    "nano+image_heuristics",
)
SMALL = ("data.subset=120", "training.epochs=1", "training.batch_size=16")
TRAINED = ("executor=inline", "run.deterministic=true", "objectives=accuracy,macs", *SMALL)
EVOLVERS = {
    "pygad": (),
    "without_surrogate": ("evolver.surrogate=false",),
    "generational": ("schedule=generational", "evolver.population=8"),
    "pygad_run": (
        "evolver.engine=pygad_run",
        "schedule=generational",
        "evolver.population=8",
        "evolver.selection=tournament",
        "objectives=width:max",
    ),
    "random": ("evolver=random",),
    "aging": ("evolver=aging", "objectives=width:max"),
    "tpe": ("evolver=tpe",),
    "nsga2": ("evolver=nsga2",),
    "gp": ("evolver=gp", "budget.evaluations=12"),
}
HOW = {
    "rungs": ("fidelity.rungs=1,2", "budget.evaluations=8"),
    "inheritance": ("training.inherit=true", "budget.evaluations=10"),
    "filter": ("filter.proxy=synflow", "budget.evaluations=16"),
    "auxiliary": ("training.auxiliary=0.3", "training.mixup=0.2", "budget.evaluations=3"),
}
TABLE = ("evaluator=table", "evaluator.path=table.csv", "objectives=score:max", "evolver.initial=4")


def searches() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Names of small searches, and their words."""
    for space in SPACES:
        yield f"space {space}", (f"space={space}", *TRAINED, "budget.evaluations=3")
    for name, words in HOW.items():
        yield f"how {name}", ("space=nano", *TRAINED, *words)
    for name, words in EVOLVERS.items():
        yield f"evolver {name}", (*COUNTED, "budget.evaluations=40", *words)
    yield "table", ("space=./values.yaml", "executor=virtual", *TABLE, "budget.evaluations=20")


def results(tree: Path, folder: Path) -> dict[str, Any]:
    """All that the tree's evonas finds, by name, as plain values."""
    _write_inputs(folder)
    named = {
        name: [*words, "display=none", f"run.name={_run_name(name)}"] for name, words in searches()
    }
    found: dict[str, Any] = json.loads(
        python_in(tree, folder, "-c", SEARCH, typed=json.dumps(named))
    )
    for scale in ("proxy", "full"):
        found[f"export {scale}"] = _exported(tree, folder, _run_name("space nano"), scale)
    for list_of in ("models", "spaces"):
        found[list_of] = {row["name"]: row for row in evonas_in(tree, folder, list_of)}
    return found


def _run_name(name: str) -> str:
    return name.replace(" ", "-").replace("+", "-")


def _write_inputs(folder: Path) -> None:
    (folder / "count.py").write_text(COUNT)
    (folder / "values.yaml").write_text(
        "values:\n  left: {int: [0, 9]}\n  right: {choice: [a, b, c]}\n"
    )
    rows = (f"{a},{b},{a * 3 % 7 + ord(b) - 97}" for a in range(10) for b in "abc")
    (folder / "table.csv").write_text("left,right,score\n" + "\n".join(rows) + "\n")


def _exported(tree: Path, folder: Path, run: str, scale: str) -> dict[str, str]:
    model = folder / f"{run}-{scale}"
    words = ("export", run, "--to", str(model), "--pick", "best", "--scale", scale)
    evonas_in(tree, folder, *words)
    names = ("weights.safetensors", "model.onnx", "blueprint.json", "recipe.yaml")
    sums = {name: hashlib.sha256((model / name).read_bytes()).hexdigest() for name in names}
    return {**sums, "outputs of model.py": python_in(tree, folder, "-c", OUTPUTS, str(model))}


def differences(now: Any, before: Any, where: str = "") -> Iterator[str]:
    """Places at which two plain values differ; keys that only one of them has are none."""
    if isinstance(now, Mapping) and isinstance(before, Mapping):
        for key in now.keys() & before.keys():
            yield from differences(now[key], before[key], f"{where}.{key}")
    elif isinstance(now, list) and isinstance(before, list) and len(now) == len(before):
        for place, pair in enumerate(zip(now, before, strict=True)):
            yield from differences(*pair, f"{where}[{place}]")
    elif now != before:
        yield f"{where}: {_short(before)} became {_short(now)}"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) < 60 else f"{text[:57]}..."


def main() -> None:
    words = parser(__doc__)
    words.add_argument("--against", default="HEAD~1", metavar="COMMIT")
    words.add_argument("--update", nargs="*", default=[], metavar="KIND")
    arguments = words.parse_args()
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        now = results(HERE, Path(one))
        with checked_out(arguments.against) as tree:
            before = results(tree, Path(two))
    changed = {kind: sorted(differences(now[kind], before[kind])) for kind in now}
    different = {kind: places for kind, places in changed.items() if places}
    report(
        arguments,
        {
            "against": arguments.against,
            "compared": sorted(now),
            "equal": len(now) - len(different),
            "meant": arguments.update,
            "different": {kind: [len(places), *places[:5]] for kind, places in different.items()},
        },
    )
    if different.keys() - set(arguments.update):
        sys.exit(1)
    if different and not is_changed_since(arguments.against, "CHANGELOG.md"):
        sys.exit("Results change, and CHANGELOG.md does not say so. Write which, and why.")


if __name__ == "__main__":
    main()
