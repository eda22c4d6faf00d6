"""Two records of `sample_efficiency.py` beside each other, paired by seed.

Of each evolver of the first record and each of the second: the mean difference and its standard
error, after as many evaluations ("100 to 100") and after twice as many ("100 to 200").
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("first", type=Path)
    words.add_argument("second", type=Path)
    words.add_argument("--json", action="store_true", help="print one JSON document")
    given = words.parse_args()
    one, other = (json.loads(path.read_text())["result"] for path in (given.first, given.second))
    if one["measure"] != other["measure"]:
        raise SystemExit(f"{given.first} has {one['measure']}, {given.second} {other['measure']}.")
    found = {
        f"{name} - {peer}": paired(own["each"], one["at"], theirs["each"], other["at"])
        for name, own in one.items()
        for peer, theirs in other.items()
        if is_evolver(own) and is_evolver(theirs)
    }
    if given.json:
        print(json.dumps(found))
        return
    for pair, differences in found.items():
        print(
            pair, *(f"{at}: {mean:+.4f} ± {error:.4f}" for at, (mean, error) in differences.items())
        )


def paired(
    own: Sequence[Sequence[float]],
    at: Sequence[int],
    theirs: Sequence[Sequence[float]],
    their_at: Sequence[int],
) -> dict[str, list[float]]:
    """Mean and standard error of the differences of seeds that both have.

    Args:
        own: Of each seed the measure at each of the counts `at`.
        theirs: The same of another evolver, at the counts `their_at`.
    """
    seeds = min(len(own), len(theirs))
    ours, others = np.array(own)[:seeds], np.array(theirs)[:seeds]
    found = {}
    for place, n in enumerate(at):
        for their_place, m in enumerate(their_at):
            if m in (n, 2 * n):
                difference = ours[:, place] - others[:, their_place]
                error = difference.std() / np.sqrt(seeds)
                found[f"{n} to {m}"] = [round(float(difference.mean()), 5), round(float(error), 5)]
    return found


def is_evolver(each: Any) -> bool:
    """Whether an entry of a result holds what an evolver reached."""
    return isinstance(each, Mapping) and "each" in each


if __name__ == "__main__":
    main()
