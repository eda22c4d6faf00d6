"""Published networks as backbones of detectors."""

from typing import Any

import pytest

from evonas.blueprint import plan_network
from evonas.errors import SpaceError
from evonas.networks.plan import Plan
from evonas.presets import preset
from evonas.space.check import check_space
from evonas.space.document import document_of
from evonas.space.load import space_of

# One of each family; the last ones are narrower or deeper than their family is written.
OF_STAGES = [
    *("mobilenet_v3_small", "resnet18", "preact_resnet50", "resnest14d", "densenet121", "dpn68"),
    *("shufflenet_v2_050", "cspdarknet53", "fractalnet_c2"),
    *("mobilenet_v2_035", "efficientnet_b1"),
]


def written(**backbone: Any) -> dict[str, Any]:
    return {
        "scales": {"proxy": {"resolution_px": 64}, "full": {"resolution_px": 128}},
        "network": {
            "builder": "detector",
            "activation": "relu",
            "backbone": backbone,
            "levels": 2,
            "neck": {"width": {"choice": [8, 16]}},
            "head": {},
        },
    }


def layers(plan: Plan) -> list[Any]:
    """Those of stem and stages."""
    parts = [part for part in plan.parts if part.name.startswith(("stem", "stage"))]
    return [layer for part in parts for layer in part.layers]


@pytest.mark.parametrize("name", OF_STAGES)
def test_a_backbone_is_the_published_network_without_its_head(name: str) -> None:
    found = preset(name)
    values = written(preset=name)
    values["network"]["drop_path"] = found.blueprint.network.get("drop_path", 0)
    space = space_of(document_of(values, "mine"))
    check_space(space)
    published = plan_network(found.blueprint, found.scale)
    detector = plan_network(space.decode([0]), space.scales["full"])
    assert layers(detector) == layers(published)


def test_keys_beside_the_name_replace_those_of_the_network() -> None:
    space = space_of(document_of(written(preset="mobilenet_v2", activation="swish"), "mine"))
    backbone = space.decode([0]).network["backbone"]
    assert backbone["activation"] == "swish"
    assert len(backbone["stages"]) == len(preset("mobilenet_v2").blueprint.network["stages"])


def test_what_is_written_out_is_the_same_space() -> None:
    document = document_of(written(preset="resnet18"), "mine")
    again = document_of(document.values, "mine")
    assert "preset" not in document.values["network"]["backbone"]
    assert space_of(again).fingerprint == space_of(document).fingerprint


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mobilnet_v2", 'no model called "mobilnet_v2". Did you mean "mobilenet_v2"?'),
        (
            "nasnet_a_mobile",
            "nasnet_a_mobile is a network of cells, and a backbone is one of stages",
        ),
        (["resnet18"], "is no name of a published network"),
        ({"choice": ["resnet18", "resnet1"]}, 'no model called "resnet1"'),
        (
            {"choice": ["resnet18"], "when": {"neck.width": 8}},
            "a backbone is chosen by choice alone",
        ),
        ({"int": [1, 2]}, "a backbone is chosen by choice alone"),
    ],
)
def test_what_is_no_backbone_is_told_with_its_place(name: Any, said: str) -> None:
    with pytest.raises(SpaceError) as error:
        space_of(document_of(written(preset=name), "mine"))
    assert str(error.value).startswith("mine, network.backbone.preset: ")
    assert said in str(error.value)
    assert len(error.value.problems) == 1


CHOSEN = {"choice": ["resnet18", "vgg16", "mobilenet_v2"]}


def test_a_gene_chooses_among_published_backbones() -> None:
    space = space_of(document_of(written(preset=CHOSEN, activation="swish"), "mine"))
    check_space(space)
    for number, name in enumerate(CHOSEN["choice"]):
        fixed = space_of(document_of(written(preset=name, activation="swish"), "mine"))
        design = space.decode([number, 1])
        assert design == fixed.decode([1])
        assert space.alleles([number, 1])["network.backbone.preset"] == name
        assert space.encode(design) == space.canonical([number, 1]) == (number, 1)


def test_a_space_of_other_backbones_has_another_fingerprint() -> None:
    one, other = (
        space_of(document_of(written(preset={"choice": [*names]}), "mine"))
        for names in (("resnet18", "vgg16"), ("resnet18", "resnet34"))
    )
    assert one.fingerprint != other.fingerprint


def test_a_backbone_that_no_allele_has_is_told() -> None:
    space = space_of(document_of(written(preset=CHOSEN), "mine"))
    foreign = space_of(document_of(written(preset="resnet34"), "mine")).decode([0])
    with pytest.raises(ValueError, match="that of none of resnet18, vgg16, mobilenet_v2"):
        space.encode(foreign)


def test_each_backbone_of_a_gene_has_to_fit_the_scales() -> None:
    values = written(preset={"choice": ["resnet18", "alexnet"]})
    values["scales"]["proxy"]["resolution_px"] = 32
    values["network"]["levels"] = 3
    with pytest.raises(SpaceError, match="backbone of alexnet"):
        check_space(space_of(document_of(values, "mine")))
