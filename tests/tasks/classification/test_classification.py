"""What the task of classification tells of single classes."""

import torch
from conftest import a_problem

from evonas.settings import TrainingSettings
from evonas.tasks import TASKS

PROBLEM = a_problem(4, (0.0,), (1.0,))
NAMES = PROBLEM.classes


def test_rows_of_classes_say_what_was_right_and_what_was_taken_for_what() -> None:
    labels, taken = [0, 0, 0, 0, 1, 1, 3], [0, 1, 1, 3, 1, 1, 0]
    logits = torch.eye(4)[taken]
    batches = [((logits[:3],), torch.tensor(labels[:3])), ((logits[3:],), torch.tensor(labels[3:]))]
    found = TASKS["classification"].details(batches, PROBLEM, TrainingSettings())
    assert [tuple(row.values()) for row in found["table"]] == [
        (NAMES[0], 4, 0.5, 0.25, NAMES[1]),
        (NAMES[1], 2, 0.5, 1.0, None),
        (NAMES[2], 0, None, None, None),
        (NAMES[3], 1, 0.0, 0.0, NAMES[0]),
    ]
    assert found["mistakes"] == {
        NAMES[0]: {NAMES[1]: 2, NAMES[3]: 1},
        NAMES[3]: {NAMES[0]: 1},
    }


def test_with_mirror_images_both_are_asked() -> None:
    both = torch.tensor([[2.0, 0, 0, 0], [0, 0, 9, 0]])  # an image and its mirror image
    recipe = TrainingSettings(flip_test=True)
    found = TASKS["classification"].details([((both,), torch.tensor([2]))], PROBLEM, recipe)
    assert found["table"][2]["recall"] == 1
