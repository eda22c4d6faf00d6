"""The family of YOLO: published detectors as designs, and what is between them."""

import numpy as np
import pytest

from evonas.blueprint import plan_network
from evonas.errors import BuildError
from evonas.networks.plan import Plan
from evonas.presets import preset
from evonas.space import load_space
from evonas.space.check import check_space
from evonas.space.search_space import SearchSpace

MEMBERS = (
    *("yolov2_voc", "yolov2_tiny_voc", "yolov3_voc", "yolov3_tiny", "yolov3_spp", "yolov3_asff"),
    *("yolov4_coco", "yolov4_tiny", "ssd300_vgg16_voc"),
)


def said(plan: Plan) -> list[tuple[str, ...]]:
    """Its parts but for anchors, which a training finds, and what a norm is that is not named."""
    return [
        (part.name, *part.reads, *(layer.key.replace(', "norm": "batch"', "") for layer in layers))
        for part in plan.parts
        for layers in [() if part.name == "priors" else part.layers]
    ]


@pytest.fixture(scope="module")
def space() -> SearchSpace:
    found = load_space("yolo_family")
    check_space(found)
    return found


@pytest.mark.parametrize("name", MEMBERS)
def test_a_published_detector_is_a_design_at_both_scales(name: str, space: SearchSpace) -> None:
    found = preset(name)
    design = space.decode(space.encode(found.blueprint))
    for scale in space.scales.values():
        published, own = (said(plan_network(each, scale)) for each in (found.blueprint, design))
        assert own == published


def test_most_designs_between_them_can_be_built(space: SearchSpace) -> None:
    rng, refused = np.random.default_rng(0), []
    for _ in range(60):
        try:
            plan_network(space.decode(space.sample(rng)), space.scales["proxy"])
        except BuildError as error:
            refused.append(str(error))
    assert len(refused) < 6
    assert all("no level more" in problem for problem in refused)
