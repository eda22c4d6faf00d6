"""Whether the forms of a model give the numbers of its network, as check.json tells it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from evonas.compression.compress import made_after
from evonas.data.dataset import Split
from evonas.delivery.ladder import Ladder
from evonas.errors import ExportError
from evonas.exporters.agreement import outputs_of, share_within_a_quantum
from evonas.exporters.file_names import SOURCE
from evonas.exporters.forms import FORMS
from evonas.exporters.model_code import defined
from evonas.model_folder.model_folder import COMPRESSION
from evonas.model_folder.recipe_file import Recipe
from evonas.models import deployed
from evonas.networks.problem import Problem
from evonas.tasks import task_of
from evonas.tasks.normalisation import normalised

CHECKED_IMAGES = 4
COMPARED_IMAGES = 64  # of what computes in 8 bits: a share of its values is told


def ladder_checks(
    ladder: Ladder | None, recipe: Recipe, images: torch.Tensor | None
) -> dict[str, Any]:
    """How the forms of a compressed model compare, and whether 8 bits are those of the network."""
    if ladder is None or not made_after(ladder.kit.settings):
        return {}
    last, found = ladder.last, ladder.to_dict()
    if last.compressed.quantised is not None:
        images = _random_images(recipe) if images is None else images
        quantised = deployed(last.compressed.quantised)
        found["within_a_quantum"] = share_within_a_quantum(quantised, last.deployed, images)
    return {COMPRESSION: found}


def form_checks(
    network: nn.Module, contents: Mapping[str, bytes], recipe: Recipe, images: torch.Tensor | None
) -> dict[str, Any]:
    """How far the forms are from the network.

    Args:
        contents: The forms, by the names of their files.
        images: As networks take them; None: random numbers.

    Raises:
        ExportError: One is too far.
    """
    some = _random_images(recipe) if images is None else images[:CHECKED_IMAGES]
    found = {
        name: form.agreement(network, contents[form.file], some) for name, form in FORMS.items()
    }
    tolerance = task_of(recipe.problem).tolerance
    for form, agreement in found.items():
        if not agreement.difference <= tolerance:
            raise ExportError(
                f"The {form} form of the network differs by {agreement.difference:.2g} from the "
                f"network itself, and at most {tolerance:g} is right. Nothing was exported."
            )
    outputs = outputs_of(deployed(network), defined(contents[SOURCE], Path(SOURCE)).example)
    rounding = {f"{form}_rounding": agreement.rounding for form, agreement in found.items()}
    return {
        **{f"{form}_max_abs_difference": each.difference for form, each in found.items()},
        "images": len(some),
        **({} if images is None else {"images_are": "validation images"}),
        "example_output": outputs[0][0].tolist(),
        **{key: value for key, value in rounding.items() if value is not None},
    }


def _random_images(recipe: Recipe) -> torch.Tensor:
    """What forms are compared on where there are no images."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(CHECKED_IMAGES, *recipe.input.shape, generator=generator)


def some_images(split: Split, problem: Problem) -> torch.Tensor:
    """Images to compare forms on, as networks take them."""
    return normalised(torch.from_numpy(split.images[:COMPARED_IMAGES]), problem)
