"""The genes of the training recipe, which are joined to whatever is trained."""

import json
from typing import Any

import numpy as np
import pytest
from conftest import REPOSITORY, typed

from evonas.errors import SpaceError
from evonas.models import build
from evonas.settings import TrainingSettings
from evonas.space import SearchSpace, known_parts, known_spaces, load_part, load_space
from evonas.space.check import check_space
from evonas.space.training_section import check_recipe
from evonas.training.rates import USUAL_RATE, peak_rate

FIXED = REPOSITORY / "experiments" / "spaces" / "fixed_convnet.yaml"

# What a run is given: its cost, what it begins with, and how it computes.
OF_THE_RUN = {"epochs", "patience", "plateau", "weights", "freeze", "reset_last"}
OF_THE_RUN |= {
    "keep",
    "layer_decay",
    "inherit",
    "amp",
    "compile",
    "cuda_graphs",
    "log",
    "auxiliary_heads",
    "self_adversarial_step",
    "flip_test",
}

# What has no meaning for classes, and what detectors alone are usually trained with.
OF_DETECTORS = {"mosaic", "close_mosaic", "crop", "expand", "interpolate", "multi_scale"}
OF_DETECTORS |= {"assigner", "box_loss", "class_loss", "box", "cls", "dfl"}
OF_DETECTORS |= {"nms", "nms_iou", "confidence", "clip_gradients"}
OF_DETECTORS |= {"subdivisions", "batch_norm", "self_adversarial", "neck_drop_block"}
OF_DETECTORS |= {"anchors", "anchor_iou", "ignore_iou", "obj", "location", "hard_negatives"}
OF_DETECTORS |= {"object_scale", "noobject_scale", "coord_scale", "class_scale", "root_sizes"}


CLASSIFIERS = [
    name for name in known_spaces() if load_space(name).template["network"]["builder"] != "detector"
]


@pytest.fixture(scope="module")
def part() -> SearchSpace:
    return load_part("image_heuristics")


def test_it_is_a_part_and_no_space_by_itself(part: SearchSpace) -> None:
    assert list(known_parts()) == ["compression", "detection_heuristics", "image_heuristics"]
    assert "image_heuristics" not in known_spaces()
    assert part.title
    assert part.source
    assert not part.has_network
    with pytest.raises(SpaceError, match=r"space=NAME\+image_heuristics"):
        load_space("image_heuristics")


def test_it_is_listed_behind_the_spaces() -> None:
    result = typed("spaces", "--json")
    *spaces, _, _, last = json.loads(result.stdout)
    assert [space["name"] for space in spaces] == list(known_spaces())
    assert (last["name"], last["size"]) == ("image_heuristics", None)
    assert result.stderr == ""


def test_every_setting_of_the_recipe_is_searched_or_belongs_to_the_run(part: SearchSpace) -> None:
    genes = {str(gene.key_path[-1]) for gene in part.genes}
    assert genes.isdisjoint(OF_THE_RUN)
    assert genes | OF_THE_RUN | OF_DETECTORS | {"lr0"} == set(TrainingSettings.model_fields)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_it_joins_every_space_of_classifiers(name: str, part: SearchSpace) -> None:
    space = load_space(f"{name}+image_heuristics")
    check_space(space)
    check_recipe(space)
    assert len(space.genes) == len(load_space(name).genes) + len(part.genes)


def test_a_network_without_genes_is_trained_in_every_way() -> None:
    fixed = load_space(str(FIXED))
    check_space(fixed)
    assert fixed.size == 1
    assert fixed.genes == ()
    space = load_space(f"{FIXED}+image_heuristics")
    rng = np.random.default_rng(0)
    designs = [space.decode(space.sample(rng)) for _ in range(50)]
    assert len({str(design.network) for design in designs}) == 1
    assert len({design.fingerprint for design in designs}) == 50
    network = build(designs[0], space.scales["proxy"], seed=0)
    assert sum(weights.numel() for weights in network.parameters()) < 200_000


def recipes(count: int) -> list[TrainingSettings]:
    space = load_space(f"{FIXED}+image_heuristics")
    rng = np.random.default_rng(1)
    designs = (space.decode(space.sample(rng)) for _ in range(count))
    return [TrainingSettings(**design.training) for design in designs]


def test_every_design_is_a_recipe_and_every_heuristic_is_off_in_some() -> None:
    found = recipes(300)
    for key in ("translate", "cutout", "mixup", "cutmix", "dropout", "drop_block", "drop_path"):
        values = {getattr(recipe, key) for recipe in found}
        assert 0 in values
        assert len(values) > 2
    assert {recipe.optimizer for recipe in found} == set(USUAL_RATE)


@pytest.mark.parametrize(
    ("optimizer", "low", "high"), [("nesterov", 0.01, 0.5), ("adamw", 1e-4, 5e-3)]
)
def test_rates_suit_the_optimiser(optimizer: str, low: float, high: float) -> None:
    own = [peak_rate(recipe) for recipe in recipes(300) if recipe.optimizer == optimizer]
    assert low <= min(own) < 3 * low
    assert high / 3 < max(own) <= high


@pytest.mark.parametrize(
    ("tuned", "by", "off"),
    [
        ("mixup_alpha", "mixup", 0.0),
        ("cutmix_alpha", "cutmix", 0.0),
        ("drop_block_size", "drop_block", 0.0),
        ("drop_path_kind", "drop_path", 0.0),
        ("momentum", "optimizer", "adagrad"),
    ],
)
def test_what_only_tunes_a_heuristic_is_active_beside_it(tuned: str, by: str, off: Any) -> None:
    space = load_space(f"{FIXED}+image_heuristics")
    rng = np.random.default_rng(2)
    for _ in range(60):
        training = space.decode(space.sample(rng)).training
        assert (tuned in training) == (training[by] not in (off, "adadelta"))
