"""The peak of the learning rate, which has another usual size for each optimiser."""

from collections.abc import Mapping

from evonas.settings import TrainingSettings

# Name of an optimiser to the rate that its paper or torch's defaults begin with; of SGD and its
# kin the 0.1 of arXiv 1512.03385, section 3.4. Muon's is measured: small networks that see CIFAR-10
# twice are right on 63 % with the 0.02 of its author's larger ones, on 71 % with 0.2.
USUAL_RATE: Mapping[str, float] = {
    "sgd": 0.1,
    "nesterov": 0.1,
    "adam": 0.001,
    "adamw": 0.001,
    "rmsprop": 0.001,
    "adagrad": 0.01,
    "adadelta": 1.0,
    "adamax": 0.002,
    "nadam": 0.002,
    "muon": 0.2,
}
REST_OF_MUON = 0.05  # what is no matrix is stepped by AdamW, at so large a share of the rate


def peak_rate(recipe: TrainingSettings) -> float:
    """The largest rate of a training: `lr0`, or what the optimiser usually has, x `lr_factor`.

    One gene for `lr_factor` so serves spaces that choose among optimisers.

    >>> peak_rate(TrainingSettings(lr0=None, optimizer="adam", lr_factor=2.0))
    0.002
    """
    rate = USUAL_RATE[recipe.optimizer] if recipe.lr0 is None else recipe.lr0
    return rate * recipe.lr_factor
