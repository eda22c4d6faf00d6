"""What a search over the training recipe gains for one fixed network, at equal epochs.

Searches over `image_heuristics` for `spaces/fixed_convnet.yaml`, from several seeds. The best
recipe of each is trained again from `--fresh` seeds that no search had, and so is the default
recipe: `margin` is the mean difference of their accuracies on the validation images, so luck with
a seed does not count. The recipes were chosen by these images; `margin_on_test` is the same on
test images, which no search has seen. Errors are standard errors over searches.
"""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from record import report
from trainings import Found, checked, search_parser, searches, trained_again, words_of

NETWORK = Path(__file__).parent / "spaces" / "fixed_convnet.yaml"


def main() -> None:
    own = ("training.epochs=5", "budget.evaluations=24")
    words = search_parser(__doc__, 5000, *own)
    words.add_argument("--seeds", type=int, default=3, help="searches (%(default)s)")
    words.add_argument("--fresh", type=int, default=5, help="seeds to train again by (%(default)s)")
    words.add_argument("--resolution", type=int, default=16, help="px of a side (%(default)s)")
    given = words.parse_args()
    with TemporaryDirectory() as folder:
        network = at_resolution(Path(folder), given.resolution)
        default = words_of(given, f"space={network}")
        searched = words_of(given, f"space={network}+image_heuristics")
        tasks = [(*searched, f"run.seed={seed}") for seed in range(given.seeds)]
        found = searches(tasks, given)
        again = [(default, ()), *((searched, each.best) for each in found)]  # default recipe first
        accuracies = trained_again(again, given.fresh, given)
        recipes = [recipe_of(searched, each) for each in found]
    report(given, compared(accuracies, found, recipes))


def at_resolution(folder: Path, resolution_px: int) -> Path:
    """The network's space with other images."""
    space = yaml.safe_load(NETWORK.read_text())
    for scale in space["scales"].values():
        scale["resolution_px"] = resolution_px
    file = folder / NETWORK.name
    file.write_text(yaml.safe_dump(space, sort_keys=False))
    return file


def recipe_of(words: tuple[str, ...], found: Found) -> dict[str, Any]:
    """What the best design says of the training."""
    return dict(checked(words).space.decode(found.best).training)


def compared(
    accuracies: np.ndarray, found: Sequence[Found], recipes: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    default, others = accuracies[0], accuracies[1:]
    result: dict[str, Any] = {}
    for part, name in enumerate(("margin", "margin_on_test")):
        margins = others[:, :, part].mean(1) - default[:, part].mean()
        result[name] = round(float(margins.mean()), 4)
        if len(margins) > 1:
            error = margins.std(ddof=1) / np.sqrt(len(margins))
            result[f"error_of_{name}"] = round(float(error), 4)
        result[f"each_{name}"] = margins.round(4).tolist()
    result["each"] = [
        {
            "best_of_search": max(t.accuracy for t in one.trainings if t.accuracy is not None),
            "again": own[:, 0].round(4).tolist(),
            "again_on_test": own[:, 1].round(4).tolist(),
            "seconds": round(sum(training.seconds for training in one.trainings), 1),
            "recipe": recipe,
        }
        for one, own, recipe in zip(found, others, recipes, strict=True)
    ]
    result["default"] = default[:, 0].round(4).tolist()
    return result | {"default_on_test": default[:, 1].round(4).tolist()}


if __name__ == "__main__":
    main()
