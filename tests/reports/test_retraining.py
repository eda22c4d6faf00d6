"""What is said of a retraining at its end."""

from io import StringIO
from typing import Any

from evonas.reports.console import PlainConsole
from evonas.reports.retraining import print_retrain

RESULT: dict[str, Any] = {
    "test_accuracy": 0.75,
    "test_balanced_accuracy": 0.7,
    "test_images": 20,
    "test_table": [{"class": "cat", "images": 12}, {"class": "dog", "images": 8}],
    "test_mistakes": {"cat": {"dog": 1}, "dog": {"cat": 4}},
    "epochs": 3,
    "best_epoch": 2,
    "validation_scores": {"accuracy": [0.5, 0.8, 0.7]},
    "ema": 0.99,
    "seconds": 4.0,
    "folder": "model",
    "files": ["model/model.py", "model/curves.svg", "model/confusion.svg"],
}


def told(**changes: Any) -> list[str]:
    console = PlainConsole(file=StringIO())
    print_retrain({**RESULT, **changes}, console)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().splitlines()


def test_the_end_of_a_retraining_says_scores_weights_mistakes_and_pictures() -> None:
    assert told() == [
        "Test accuracy 0.7500, balanced over the classes 0.7000, on 20 images, after 3 epochs, of "
        "which the 2. is kept, in 4.0 s. Weights, ONNX and card are in model.",
        "weights.safetensors has the weights of epoch 2, the best on the validation images "
        "(accuracy 0.8000), last.safetensors those of epoch 3, the last. They are averages over "
        "the steps (training.ema=0.99).",
        "Mistaken most often: dog for cat (4 of 8), cat for dog (1 of 12).",
        "Pictures: model/curves.svg, model/confusion.svg",
    ]


def test_without_mistakes_and_a_best_epoch_nothing_is_said_of_them() -> None:
    _, weights, pictures = told(test_mistakes={}, best_epoch=None, ema=None)
    assert weights == "weights.safetensors has the weights of epoch 3, the last."
    assert pictures.startswith("Pictures: ")
