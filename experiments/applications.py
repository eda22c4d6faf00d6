"""PyGAD's own applications, each a function and a space that are given to `evonas.optimise`.

A linear model, eight queens, a picture, and the weights of two networks. Their functions take less
than a millisecond, so that plain evolution is quicker than a surrogate, and each search ends as
soon as its target is met. Evaluations, seconds and measures of the best are listed by seed.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from record import parser, report
from sklearn.datasets import load_digits
from torch import nn

import evonas
from evonas import Run

Values = dict[str, Any]
Array = NDArray[np.float64]

INPUTS, OUTPUT = (4, -2, 3.5, 5, -11, -4.7), 44  # PyGAD's own example
WHITE = 255
HIDDEN = 2
CASES, WANTED = np.array([[0, 0], [0, 1], [1, 0], [1, 1]]), np.array([0, 1, 1, 0])
CLASSES = 3
SEEN = 300  # images that the evolved network is judged by; the others only tell how good it is


def linear_model(seed: int) -> Run:
    """Weights w for which w · x is the wanted output."""

    def error(values: Values) -> float:
        return abs(float(np.dot(values["weights"], INPUTS)) - OUTPUT)

    return evonas.optimise(
        error,
        {"values": {"weights": [{"float": [-4, 4], "repeat": len(INPUTS)}]}},
        "error:min",
        budget={"evaluations": 5000, "target": {"error": {"max": 1e-6}}},
        evolver={
            "surrogate": False,
            "population": 50,
            "selection": "rank",
            "crossover": "sbx",
            "mutation": "polynomial",
            "mutation_probability": 0.1,
        },
        run={"seed": seed},
    )


def eight_queens(seed: int) -> Run:
    """Queens on a chessboard of which none attacks another.

    Each column has a key, and the order of the keys is the permutation of rows (random keys, Bean
    1994): however keys are mutated, each row and each column has one queen.
    """
    return evonas.optimise(
        lambda values: attacks(rows_of(values["keys"])),
        {"values": {"keys": [{"float": [0, 1], "repeat": 8}]}},
        "attacks:min",
        budget={"evaluations": 2000, "target": {"attacks": {"max": 0}}},
        evolver={"surrogate": False, "crossover": "none", "mutation": "swap"},
        run={"seed": seed},
    )


def rows_of(keys: Sequence[float]) -> list[int]:
    """The row of each column's queen."""
    return [int(row) for row in np.argsort(keys)]


def attacks(rows: Sequence[int]) -> int:
    """Pairs of queens in one row or on one diagonal."""
    pairs = [(a, b) for b in range(len(rows)) for a in range(b)]
    return sum(abs(rows[a] - rows[b]) in (0, b - a) for a, b in pairs)


def picture(seed: int) -> Run:
    """A picture of 8 x 8 pixels, by its mean difference to the original in shares of white."""
    original = handwritten_zero()

    def difference(values: Values) -> float:
        return float(np.abs(image_of(values["pixels"]) - original).mean() / WHITE)

    return evonas.optimise(
        difference,
        {"values": {"pixels": [{"int": [0, WHITE], "repeat": len(vector_of(original))}]}},
        "difference:min",
        budget={"evaluations": 5000, "target": {"difference": {"max": 0.02}}},
        evolver={"surrogate": False, "mutation": "polynomial", "mutation_genes": 3},
        run={"seed": seed},
    )


def handwritten_zero() -> Array:
    """Whole numbers from 0 to white, (8, 8)."""
    images = load_digits().images
    return np.asarray(np.rint(images[0] / images.max() * WHITE))


def vector_of(image: Array) -> list[int]:
    """Pixels row by row, as alleles."""
    return [int(pixel) for pixel in image.ravel()]


def image_of(vector: Sequence[int]) -> Array:
    """The inverse of `vector_of` for square images."""
    side = round(len(vector) ** 0.5)
    return np.array(vector, dtype=float).reshape(side, side)


def xor_network(seed: int) -> Run:
    """Weights of a network with two hidden neurons that computes XOR.

    A mean error below 1/8 leaves each of the four answers on its side of 1/2.
    """

    def score(values: Values) -> dict[str, float]:
        answers = xor_answers(values["weights"])
        return {
            "error": float(np.abs(answers - WANTED).mean()),
            "accuracy": float(((answers > 0.5) == WANTED).mean()),
        }

    return evonas.optimise(
        score,
        {"values": {"weights": [{"float": [-5, 5], "repeat": 4 * HIDDEN + 1}]}},
        "error:min",
        budget={"evaluations": 3000, "target": {"error": {"max": 0.1}}},
        evolver={"surrogate": False},
        run={"seed": seed},
    )


def xor_answers(weights: Sequence[float]) -> Array:
    """What the network says to the four cases, between 0 and 1."""
    first, bias, second = np.split(np.array(weights[:-1]), [2 * HIDDEN, 3 * HIDDEN])
    hidden = np.tanh(CASES @ first.reshape(2, HIDDEN) + bias)
    return np.asarray(1 / (1 + np.exp(-(hidden @ second + weights[-1]))))


def digits_cnn(seed: int) -> Run:
    """Weights of a convolutional network that tells three handwritten digits apart."""
    network, (images, labels) = small_cnn(), digits()

    @torch.no_grad()
    def score(values: Values) -> dict[str, float]:
        set_weights(network, values["weights"])
        logits = network(images)
        right = (logits.argmax(1) == labels).double()
        loss = nn.functional.cross_entropy(logits[:SEEN], labels[:SEEN])
        accuracy, unseen = float(right[:SEEN].mean()), float(right[SEEN:].mean())
        return {"loss": float(loss), "accuracy": accuracy, "unseen_accuracy": unseen}

    return evonas.optimise(
        score,
        {"values": {"weights": [{"float": [-1, 1], "repeat": len(weights_of(network))}]}},
        "loss:min",
        budget={"evaluations": 3000, "target": {"loss": {"max": 0.1}}},
        evolver={"surrogate": False, "mutation": "adaptive", "mutation_genes_bad": 8},
        run={"seed": seed},
    )


def small_cnn() -> nn.Module:
    """Four filters and a linear layer: 151 weights."""
    convolution = nn.Conv2d(1, 4, kernel_size=3, stride=2)
    return nn.Sequential(convolution, nn.ReLU(), nn.Flatten(), nn.Linear(4 * 3 * 3, CLASSES))


def digits() -> tuple[torch.Tensor, torch.Tensor]:
    """Images (537, 1, 8, 8) from 0 to 1, and their labels."""
    images, labels = load_digits(n_class=CLASSES, return_X_y=True)
    scaled = torch.from_numpy(images / images.max()).float()
    return scaled.reshape(-1, 1, 8, 8), torch.from_numpy(labels)


def set_weights(network: nn.Module, weights: Sequence[float]) -> None:
    """Takes the weights out of one long list."""
    nn.utils.vector_to_parameters(torch.tensor(weights), network.parameters())


def weights_of(network: nn.Module) -> list[float]:
    """All weights in one list: the inverse of `set_weights`."""
    vector = nn.utils.parameters_to_vector(network.parameters()).detach()
    return [float(weight) for weight in vector]


APPLICATIONS: dict[str, Callable[[int], Run]] = {
    "linear_model": linear_model,
    "eight_queens": eight_queens,
    "picture": picture,
    "xor_network": xor_network,
    "digits_cnn": digits_cnn,
}


def best_of(run: Run) -> tuple[Values, dict[str, float]]:
    """Values and measures of the best design."""
    assert run.best is not None, "these functions give a number for every design"
    trial, outcome = run.best
    return dict(trial.blueprint.values), dict(outcome.measures)


def figures(runs: Sequence[Run]) -> dict[str, Any]:
    """What came of one application with each seed."""
    measures = [best_of(run)[1] for run in runs]
    evaluations = [run.records.evaluations for run in runs]
    return {
        "target_met": f"{sum(run.facts['ended'] == 'target' for run in runs)} of {len(runs)}",
        "evaluations": evaluations,
        "seconds": [round(run.seconds, 2) for run in runs],
        "evaluations_per_second": round(sum(evaluations) / sum(run.seconds for run in runs)),
        **{name: [each[name] for each in measures] for name in measures[0]},
    }


def main() -> None:
    words = parser(__doc__)
    words.add_argument("names", nargs="*", metavar="NAME", help=", ".join(APPLICATIONS))
    words.add_argument("--seeds", type=int, default=5)
    given = words.parse_args()
    torch.set_num_threads(1)
    names = given.names or list(APPLICATIONS)
    report(
        given,
        {
            name: figures([APPLICATIONS[name](seed) for seed in range(given.seeds)])
            for name in names
        },
    )


if __name__ == "__main__":
    main()
