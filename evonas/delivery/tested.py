"""A model on the test images, once it is done: scores, how single classes did, a picture."""

from io import BytesIO
from typing import Any

import numpy as np

from evonas.data.dataset import Dataset
from evonas.delivery.ladder import Form
from evonas.exporters.file_names import EXAMPLES
from evonas.model_folder.recipe_file import Recipe
from evonas.reports.flip_test import flip_mark
from evonas.tasks import task_of
from evonas.tasks.task import LOSS
from evonas.training.scoring import detail, example_outputs

EXAMPLE_IMAGES = 4


def tested(form: Form, recipe: Recipe, data: Dataset) -> dict[str, Any]:
    """Scores of the test images as `test_accuracy` and so on, and what `Task.details` has.

    Args:
        form: Judged on the test images.
    """
    problem, network = recipe.problem, form.scored.to(form.device)
    left_out = {LOSS, *task_of(problem).uninformative(problem)}
    details = detail(network, data.test, problem, recipe.training, form.device)
    return {
        **{f"test_{name}": value for name, value in form.scores.items() if name not in left_out},
        "test_images": len(data.test),
        **flip_mark(recipe.training),
        **{f"test_{name}": value for name, value in details.items()},
    }


def examples(form: Form, recipe: Recipe, data: Dataset) -> dict[str, bytes]:
    """A picture of test images with what the form finds in them, if there is such a thing."""
    some = data.test.part(np.arange(min(EXAMPLE_IMAGES, len(data.test))))
    outputs = example_outputs(form.deployed.cpu(), some, recipe.problem, recipe.training)
    picture = task_of(recipe.problem).examples(
        some.images, some.targets, outputs, recipe.problem, recipe.training
    )
    if picture is None:
        return {}
    content = BytesIO()
    picture.save(content, "PNG", optimize=True)
    return {EXAMPLES: content.getvalue()}
