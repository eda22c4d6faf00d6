"""The genes of detectors' trainings, which are joined to a space of detectors."""

from typing import Any

import numpy as np
import pytest

from evonas.settings import TrainingSettings
from evonas.space import SearchSpace, load_part, load_space
from evonas.space.check import check_space
from evonas.space.training_section import check_recipe
from evonas.tasks import TASKS

# How boxes are read off, which the run says; a search would choose what flatters the measure.
OF_READING = {"nms", "nms_iou", "confidence", "flip_test"}
OF_DATA = {"anchors"}  # which fit the boxes of a training
# What has no allele that leaves it out, as a training without it is none.
NEEDED = {"batch_size", "optimizer", "lr0", "lrf", "momentum", "weight_decay", "schedule"}
NEEDED |= {"assigner", "box_loss", "class_loss", "box", "cls", "dfl"}
NEEDED |= {"close_mosaic", "mixup_alpha", "cutmix_alpha", "drop_block_size", "progressive"}
NEEDED |= {"batch_norm"}
# What the losses of some heads weigh, active beside these alone.
NEEDED |= {"obj", "ignore_iou", "anchor_iou", "object_scale", "noobject_scale", "coord_scale"}
NEEDED |= {"class_scale", "root_sizes", "location", "hard_negatives"}
OFF = {"subdivisions": 1}  # the value that leaves a heuristic out, where it is not 0


@pytest.fixture(scope="module")
def joined() -> SearchSpace:
    return load_space("detector+detection_heuristics")


def designs(space: SearchSpace, count: int) -> list[dict[str, Any]]:
    rng = np.random.default_rng(1)
    return [dict(space.decode(space.sample(rng)).training) for _ in range(count)]


def test_it_joins_the_space_of_detectors(joined: SearchSpace) -> None:
    check_space(joined)
    check_recipe(joined)
    part = load_part("detection_heuristics")
    assert not part.has_network
    assert len(joined.genes) == len(load_space("detector").genes) + len(part.genes)


def test_every_setting_that_detectors_alone_have_is_searched(joined: SearchSpace) -> None:
    genes = {str(gene.key_path[-1]) for gene in joined.genes if gene.key_path[0] == "training"}
    detection, classification = TASKS["detection"], TASKS["classification"]
    assert detection.settings - genes == OF_READING | OF_DATA
    assert genes.isdisjoint(classification.settings - detection.settings)


def test_every_design_is_a_recipe_and_every_heuristic_is_left_out_of_some(
    joined: SearchSpace,
) -> None:
    recipes = designs(joined, 150)
    keys = {key for recipe in recipes for key in recipe}
    for recipe in recipes:
        TrainingSettings(**recipe)
    for key in keys - NEEDED:
        values = {recipe[key] for recipe in recipes}
        assert OFF.get(key, 0) in values, key
        assert len(values) > 1, key
    assert {recipe["progressive"] for recipe in recipes} >= {1.0}


def test_mixtures_with_the_weights_of_the_paper_are_among_the_designs(joined: SearchSpace) -> None:
    alphas = {recipe["mixup_alpha"] for recipe in designs(joined, 60) if recipe["mixup"]}
    assert 1.5 in alphas


@pytest.mark.parametrize(
    ("tuned", "by"),
    [
        ("close_mosaic", "mosaic"),
        ("mixup_alpha", "mixup"),
        ("cutmix_alpha", "cutmix"),
        ("drop_block_size", "drop_block"),
        ("batch_norm", "subdivisions"),
    ],
)
def test_what_only_tunes_a_heuristic_is_active_beside_it(
    joined: SearchSpace, tuned: str, by: str
) -> None:
    for recipe in designs(joined, 40):
        assert (tuned in recipe) == (recipe[by] > OFF.get(by, 0))
