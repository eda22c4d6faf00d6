"""Whether the forms of a model give the numbers of its network, as check.json tells it."""

import copy
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn

from evonas.compression.compress import made_after
from evonas.data.dataset import Split
from evonas.delivery.ladder import Ladder
from evonas.errors import ExportError
from evonas.exporters.agreement import largest_difference, outputs_of, share_within_a_quantum
from evonas.exporters.file_names import PACKED, SOURCE
from evonas.exporters.forms import FORMS
from evonas.exporters.model_code import defined, unpacked_by
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
    for form, agreement in found.items():
        _check(form, agreement.difference, recipe)
    outputs = outputs_of(deployed(network), defined(contents[SOURCE], Path(SOURCE)).example)
    rounding = {f"{form}_rounding": agreement.rounding for form, agreement in found.items()}
    return {
        **{f"{form}_max_abs_difference": each.difference for form, each in found.items()},
        "images": len(some),
        **({} if images is None else {"images_are": "validation images"}),
        "example_output": outputs[0][0].tolist(),
        **{key: value for key, value in rounding.items() if value is not None},
    }


def packed_checks(
    network: nn.Module, contents: Mapping[str, bytes], recipe: Recipe, images: torch.Tensor | None
) -> dict[str, Any]:
    """How far the network is from itself with the weights that model.py unpacks, if any are packed.

    Raises:
        ExportError: It is too far.
    """
    if PACKED not in contents:
        return {}
    some = _random_images(recipe) if images is None else images[:CHECKED_IMAGES]
    own = deployed(network)
    with TemporaryDirectory() as folder:
        file = Path(folder, PACKED)
        file.write_bytes(contents[PACKED])
        weights = unpacked_by(contents[SOURCE], Path(SOURCE), file)
    other = copy.deepcopy(own)
    other.load_state_dict({**other.state_dict(), **weights})
    difference = largest_difference(outputs_of(own, some), outputs_of(other, some))
    _check("packed", difference, recipe)
    return {"packed_max_abs_difference": difference}


def _check(form: str, difference: float, recipe: Recipe) -> None:
    tolerance = task_of(recipe.problem).tolerance
    if not difference <= tolerance:
        raise ExportError(
            f"The {form} form of the network differs by {difference:.2g} from the network itself, "
            f"and at most {tolerance:g} is right. Nothing was exported."
        )


def _random_images(recipe: Recipe) -> torch.Tensor:
    """What forms are compared on where there are no images."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(CHECKED_IMAGES, *recipe.input.shape, generator=generator)


def some_images(split: Split, problem: Problem) -> torch.Tensor:
    """Images to compare forms on, as networks take them."""
    return normalised(torch.from_numpy(split.images[:COMPARED_IMAGES]), problem)
