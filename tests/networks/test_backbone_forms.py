"""Backbones that are written in words of a chain."""

from typing import Any

import pytest
from detectors import blueprint, detector, plan

from evonas.blueprint import network_key, plan_network, scaled_network
from evonas.errors import BuildError, SpaceError
from evonas.models import Network, count
from evonas.networks import Scale, aligned, meaning, narrowed, planned, shallower, short, strides
from evonas.networks import words as words_of
from evonas.networks.plan import Plan
from evonas.presets import preset
from evonas.space.check import check_space
from evonas.space.document import document_of
from evonas.space.load import space_of
from evonas.training.parts import parts

SCALE = Scale("full", resolution_px=32, classes=3)
CONV, POOL = {"conv": 8, "kernel": 3}, {"max_pool": 2}
# Strides 1, 2, 4, 4 and 8: a level in the middle of a list, and one at the end of another.
LAYERS: list[Any] = [
    [CONV, POOL],
    [{"conv": 12, "kernel": 3}, POOL],
    [{"conv": 16, "kernel": 3}, {"conv": 20, "kernel": 1}, POOL, {"conv": 24, "kernel": 3}],
    {"conv": 28, "kernel": 3},
]


def chain(layers: list[Any] = LAYERS, **changes: Any) -> dict[str, Any]:
    backbone = {"layers": layers, **changes.pop("backbone", {})}
    return detector(backbone=backbone, **changes)


def reads(found: Plan) -> dict[str, tuple[str, ...]]:
    return {part.name: part.reads for part in found.parts}


def test_a_level_is_the_last_map_of_its_stride() -> None:
    found = reads(plan(chain(neck={"kind": "none", "width": 8})))
    assert found["lateral_1"] == ("layer_3",)
    assert found["lateral_2"] == ("layer_4",)
    assert found["layer_3_2"] == ("layer_3",)
    three = plan(chain(levels=3, neck={"kind": "none", "width": 8}))
    assert reads(three)["lateral_1"] == ("layer_2",)
    channels = [p.layers[0].arguments["in_channels"] for p in three.parts if "lateral" in p.name]
    assert channels == [12, 20, 28]


def test_strides_are_those_of_convolutions_pools_and_branches() -> None:
    reduced = {"concat": [[{"conv": 8, "kernel": 3, "stride": 2}], [{**POOL}]]}
    assert strides(scaled_network(blueprint(chain([CONV, {"space_to_depth": 2}, reduced])), SCALE))
    for layers, wanted in [
        ([CONV, {"space_to_depth": 2}, reduced], (2, 4)),
        ([{**CONV, "stride": 2}, {"avg_pool": 3, "stride": 4, "padding": 1}], (2, 8)),
        (LAYERS, (4, 8)),
    ]:
        assert strides(scaled_network(blueprint(chain(layers)), SCALE)) == wanted


def test_weights_have_the_names_that_they_have_in_a_classifier() -> None:
    head = [{"global_pool": "average"}, {"linear": "classes"}]
    network = {"builder": "chain", "activation": "relu", "layers": LAYERS, "head": head}
    classifier = Network(plan_network(blueprint(network), SCALE)).state_dict()
    found = Network(plan(chain(levels=3))).state_dict()
    names = [name for name in classifier if name.startswith("layer_")]
    apart = [name for name in names if name not in found]
    assert {name.split(".")[0] for name in apart} == {"layer_3"}  # behind the level in its middle
    assert all(name.startswith("layer_3.3") for name in apart)


def test_pieces_of_a_list_are_parts_of_the_backbone() -> None:
    found = [name for name, _ in parts(Network(plan(chain(levels=3))))]
    assert found == [
        *("layer_1", "layer_2", "layer_2_2", "layer_3", "layer_3_2", "layer_4"),
        "neck and head",
    ]


def test_a_published_chain_is_a_backbone_with_its_parameters() -> None:
    values = {
        "scales": {name: {"resolution_px": 64} for name in ("proxy", "full")},
        "network": detector(backbone={"preset": "darknet19"}, levels=3),
    }
    values["network"]["activation"] = {"choice": ["relu", "swish"]}
    space = space_of(document_of(values, "mine"))
    check_space(space)
    sized = scaled_network(space.decode([0]), space.scales["full"])
    assert strides(sized) == (8, 16, 32)
    trunk = [part for part in planned(sized).parts if part.name.startswith("layer")]
    total = count(plan_network(preset("darknet19").blueprint, preset("darknet19").scale)).parameters
    made = Plan(tuple(trunk), (3, 64, 64), (trunk[-1].name,))
    assert count(made).parameters == total - 1024 * 1000 - 1000
    assert made.parts[0].layers[0].arguments["activation"] == "leaky"


def test_what_changes_nothing_is_no_other_backbone() -> None:
    same = chain([[CONV], [POOL, {"conv": 12, "kernel": 3}, POOL], *LAYERS[2:]])
    full = chain(backbone={"activation": "relu", "norm": "batch"})
    told = chain([[{**CONV, "activation": "relu", "stride": 1}, POOL], *LAYERS[1:]])
    other = chain(backbone={"activation": "swish"})
    for network in (same, full, told):
        assert meaning(network) == meaning(chain())
        assert network_key(blueprint(network), SCALE) == network_key(blueprint(chain()), SCALE)
    assert short(told)["backbone"] == short(full)["backbone"] == {"layers": LAYERS}
    assert meaning(other) != meaning(chain())
    said = [{**layer, "activation": "swish"} if "conv" in layer else layer for layer in LAYERS[0]]
    one, two = chain([said]), chain([LAYERS[0]], backbone={"activation": "swish"})
    assert meaning(one) == meaning(two)


def test_it_is_written_as_a_space_writes_it() -> None:
    template = chain([[{**CONV, "stride": {"choice": [1, 2]}}, POOL], *LAYERS[1:]])
    placed = aligned(chain(), template)
    assert placed["backbone"]["layers"][0][0] == {**CONV, "stride": 1}
    with pytest.raises(ValueError, match=r"network\.backbone: no place"):
        aligned(chain(), detector())


def test_a_surrogate_hears_of_its_layers() -> None:
    kinds, pairs, _ = words_of(chain())
    assert kinds["max_pool"] == 3
    assert pairs["conv kernel 3 > max_pool"] == 2


def test_a_scale_makes_it_wider() -> None:
    wide = plan(chain(), width=2)
    assert (
        next(p for p in wide.parts if p.name == "layer_4").layers[0].arguments["out_channels"] == 56
    )


def test_fewer_channels_but_no_fewer_blocks() -> None:
    sized = scaled_network(blueprint(chain(neck={"width": 16})), SCALE)
    narrow = planned(narrowed(sized, [0.5]))
    assert narrow.parts[-1].name == planned(sized).parts[-1].name
    last = next(part for part in narrow.parts if part.name == "layer_4")
    assert last.layers[0].arguments["out_channels"] == 16
    assert count(narrow).parameters < 0.6 * count(planned(sized)).parameters
    with pytest.raises(BuildError, match="only networks of stages have blocks that can go"):
        shallower(sized, [0.5])


def checked(**changes: Any) -> list[str]:
    """What is wrong, without the name of the file."""
    scales = {name: {"resolution_px": 64} for name in ("proxy", "full")}
    values = {"scales": scales, "network": {**chain(**changes)}}
    values["network"]["activation"] = {"choice": ["relu", "swish"]}
    try:
        check_space(space_of(document_of(values, "mine")))
    except SpaceError as error:
        return [problem.removeprefix("mine, network.") for problem in error.problems]
    return []


def test_genes_in_its_layers_are_right() -> None:
    layers = [[{**CONV, "conv": {"choice": [8, 16]}}, {"max_pool": {"choice": [2, 3]}}]]
    assert checked(layers=[*layers, *LAYERS[1:]], levels=3) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"layers": []}, "backbone.layers: write a list with at least one layer."),
        ({"layers": [{"cone": 3}]}, 'backbone.layers.0: There is no layer called "cone".'),
        ({"backbone": {"stem": {}}}, 'backbone.layers: there is no key "layers" here.'),
        ({"backbone": {"head": []}}, 'backbone.head: there is no key "head" here.'),
        (
            {"layers": [LAYERS[0], LAYERS[1], [{"flatten": True}]]},
            "backbone.layers.2.0.flatten: a backbone is of maps, and this layer ends them.",
        ),
        (
            {"layers": LAYERS[:1]},
            "",
        ),
        (
            {"layers": [CONV, {"concat": [[CONV], [CONV]]}]},
            "levels: the layers have maps of 1 strides, and 2 are asked for. Write at most 1, or "
            "give more layers a stride above 1.",
        ),
        (
            {"layers": [CONV, {"times": {"choice": [1, 2]}, "layers": [CONV, POOL]}], "levels": 3},
            "levels: the layers have maps of 2 strides, and 3 are asked for.",
        ),
        ({"drop_path": 0.1}, "drop_path: a backbone of layers has no paths to drop."),
    ],
)
def test_what_is_wrong_is_told(changes: dict[str, Any], said: str) -> None:
    found = checked(**changes)
    assert bool(found) == bool(said)
    assert any(problem.startswith(said) for problem in found) == bool(said), found
