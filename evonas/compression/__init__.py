"""From a trained network to what is deployed. A new step is a file and a line in `STEPS`."""

from collections.abc import Mapping

from evonas.compression.distillation import Distillation
from evonas.compression.pruning import Pruning
from evonas.compression.quant_noise import QuantNoise
from evonas.compression.quantisation import Quantisation
from evonas.compression.step import Step

# In the order in which they are taken.
STEPS: Mapping[str, Step] = {
    "distillation": Distillation(),
    "quant_noise": QuantNoise(),
    "pruning": Pruning(),
    "quantisation": Quantisation(),
}
