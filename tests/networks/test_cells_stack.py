"""How cells are put together: what each reads, made to fit, and what it gives."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from evonas.blueprint import Blueprint, plan_network
from evonas.models import Network, build
from evonas.models.cell import Cell, Dropped, Node, NormActivation, ResidualReduction
from evonas.models.layers import (
    ActivationConvNorm,
    ClassifierHead,
    ConvNormActivation,
    DropPath,
    FactorizedReduction,
)
from evonas.models.operations.skip_connect import SkipConnect
from evonas.networks import Scale
from evonas.presets import presets
from evonas.space import load_space

CIFAR = Scale("full", resolution_px=16, filters=4, repeats=(2, 2, 2))
IMAGENET = replace(CIFAR, resolution_px=64, stem="imagenet", filters=8)
ASSEMBLIES = ("nasnet", "darts")

Term = tuple[str, int]


def cell(
    *blocks: tuple[Term, Term], combine: str = "add", output: Any = "unused"
) -> dict[str, Any]:
    written = [
        {
            "left": {"operation": left[0], "state": left[1]},
            "right": {"operation": right[0], "state": right[1]},
            "combine": combine,
        }
        for left, right in blocks
    ]
    return {"blocks": written, "output": output}


BOTH = cell((("conv_3x3", 0), ("max_pool_3x3", 1)))


def design(
    normal: dict[str, Any] = BOTH,
    reduction: dict[str, Any] = BOTH,
    assembly: str = "nasnet",
    **more: Any,
) -> Blueprint:
    network = {"builder": "cells", "assembly": assembly, "activation": "relu", **more}
    return Blueprint({**network, "normal": normal, "reduction": reduction})


def built(blueprint: Blueprint, scale: Scale = CIFAR) -> Network:
    return build(blueprint, scale, seed=0)


def stack_of(network: Network) -> list[nn.Module]:
    return [part for name, part in network.named_children() if name.startswith("cell_")]


def cells_of(blueprint: Blueprint, scale: Scale = CIFAR) -> list[Cell]:
    return [part for part in stack_of(built(blueprint, scale)) if isinstance(part, Cell)]


def sources_of(blueprint: Blueprint, scale: Scale = CIFAR) -> list[list[int]]:
    """What each cell reads: 0 is the stem's output, n that of the nth cell."""
    stem, *cells, head = plan_network(blueprint, scale).parts
    places = {part.name: place for place, part in enumerate([stem, *cells])}
    assert head.reads == (cells[-1].name,)
    return [[places[name] for name in cell.reads] for cell in cells]


def operation(made: Cell, node: int = 0, term: int = 0) -> nn.Module:
    return made.nodes[node].operations[term]


def weights_in(module: nn.Module) -> int:
    return sum(weights.numel() for weights in module.parameters())


def convolutions(module: nn.Module) -> list[tuple[int, int, int, int]]:
    """(in, out, kernel, stride) of each convolution."""
    return [
        (layer.in_channels, layer.out_channels, layer.kernel_size[0], layer.stride[0])
        for layer in module.modules()
        if isinstance(layer, nn.Conv2d)
    ]


NEAR = [[0, 0], [1, 0], [2, 1], [3, 2], [4, 3], [5, 4], [6, 5], [7, 6]]


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_cells_read_the_two_outputs_before_them(assembly: str) -> None:
    # normal, normal, reduction, normal, normal, reduction, normal, normal; 0 is the stem's output
    assert sources_of(design(assembly=assembly)) == NEAR


def test_after_a_reduction_a_cell_may_read_two_before_it() -> None:
    far = [list(sources) for sources in NEAR]
    far[3], far[6] = [3, 1], [6, 4]
    assert sources_of(design(), replace(CIFAR, far_input=True)) == far


def test_the_first_cell_reads_near_behind_the_early_reductions_of_a_deep_stem() -> None:
    scale = replace(IMAGENET, repeats=(1, 1, 1), far_input=True)
    # reduction, reduction, normal, reduction, normal, reduction, normal
    wanted = [[0, 0], [1, 0], [2, 1], [3, 2], [4, 2], [5, 4], [6, 4]]
    assert sources_of(design(), scale) == wanted


def test_the_deep_stem_of_darts_ends_with_a_convolution_that_the_first_cells_read() -> None:
    given = design(assembly="darts"), replace(IMAGENET, repeats=(1, 1, 1))
    assert isinstance(stack_of(built(*given))[0], ActivationConvNorm)
    assert sources_of(*given) == [[0], [1, 0], [2, 1], [3, 2], [4, 3], [5, 4]]


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_each_reduction_halves_the_map_and_doubles_the_filters(assembly: str) -> None:
    network = built(design(assembly=assembly))
    maps = {}
    for index, part in enumerate(stack_of(network)):
        part.register_forward_hook(
            lambda module, given, out, index=index: maps.update({index: tuple(out.shape[1:])})
        )
    network(torch.zeros(2, 3, 16, 16))
    assert [maps[index][0] for index in range(8)] == [4, 4, 8, 8, 8, 16, 16, 16]
    assert [maps[index][1] for index in range(8)] == [16, 16, 8, 8, 8, 4, 4, 4]


def test_the_deep_stem_of_nasnet_begins_with_a_quarter_and_a_half_of_the_filters() -> None:
    network = built(design(), replace(IMAGENET, filters=8, stem_channels=12))
    assert convolutions(network.get_submodule("stem")) == [(3, 12, 3, 2)]
    made = [part for part in stack_of(network) if isinstance(part, Cell)]
    filters = [operation(each)[1].out_channels for each in made]  # type: ignore[index]
    assert filters == [2, 4, 8, 8, 16, 16, 16, 32, 32, 32]


@pytest.mark.parametrize(
    ("assembly", "stem", "channels", "wanted"),
    [
        ("nasnet", "cifar", 0, [(3, 24, 3, 1)]),
        ("nasnet", "cifar", 10, [(3, 10, 3, 1)]),
        ("nasnet", "imagenet", 0, [(3, 32, 3, 2)]),
        ("darts", "cifar", 0, [(3, 24, 3, 1)]),
        ("darts", "imagenet", 0, [(3, 4, 3, 2), (4, 8, 3, 2)]),
        ("darts", "imagenet", 12, [(3, 6, 3, 2), (6, 12, 3, 2)]),
    ],
)
def test_stems_are_those_of_the_reference_code(
    assembly: str, stem: str, channels: int, wanted: list[tuple[int, ...]]
) -> None:
    scale = replace(IMAGENET, stem=stem, stem_channels=channels)
    stem_part = built(design(assembly=assembly), scale).get_submodule("stem")
    assert convolutions(stem_part) == wanted
    (convolution,) = [each for each in stem_part.modules() if isinstance(each, nn.Conv2d)][:1]
    unpadded = assembly == "nasnet" and stem == "imagenet"
    assert convolution.padding == ((0, 0) if unpadded else (1, 1))
    parts = [part for part in stem_part.modules() if isinstance(part, ConvNormActivation)]
    # all but the last end with an activation
    assert [isinstance(part[-1], nn.ReLU) for part in parts] == [True] * (len(parts) - 1) + [False]


def test_nasnet_keeps_the_first_previous_state_as_it_is() -> None:
    first = cells_of(design())[0]
    assert convolutions(first.inputs[0]) == [(12, 4, 1, 1)]
    assert isinstance(first.inputs[1], SkipConnect)
    assert weights_in(first.inputs[1]) == 0
    # its 12 channels are brought to 4 filters by what reads them
    assert convolutions(operation(first, 0, 1)) == [(12, 4, 1, 1)]


def test_nasnet_projects_the_previous_state_only_where_its_channels_differ() -> None:
    narrow = cells_of(design())[2 - 1]
    assert convolutions(narrow.inputs[1]) == [(12, 4, 1, 1)]  # from the stem
    wide = cell((("conv_3x3", 0), ("conv_3x3", 1)), (("conv_1x1", 0), ("conv_1x1", 1)))
    scale = replace(CIFAR, repeats=(3, 1, 1))
    assert weights_in(cells_of(design(), scale)[2].inputs[1]) == 0  # 4 channels, 4 filters
    assert convolutions(cells_of(design(wide), scale)[2].inputs[1]) == [(8, 4, 1, 1)]


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_the_state_before_a_reduction_is_reduced_too(assembly: str) -> None:
    after = cells_of(design(assembly=assembly))[3]
    assert isinstance(after.inputs[1], FactorizedReduction)
    assert isinstance(after.inputs[1].activation, nn.ReLU)
    assert convolutions(after.inputs[1]) == [(4, 4, 1, 2), (4, 4, 1, 2)]
    assert convolutions(after.inputs[0]) == [(8, 8, 1, 1)]


def test_darts_always_projects_both_states() -> None:
    for index, made in enumerate(
        cells_of(design(assembly="darts"), replace(CIFAR, repeats=(4, 1, 1)))
    ):
        assert weights_in(made.inputs[0]) > 0
        assert weights_in(made.inputs[1]) > 0, f"cell {index}"


def test_projections_begin_with_an_activation() -> None:
    for assembly in ASSEMBLIES:
        projection = cells_of(design(assembly=assembly))[1].inputs[0]
        assert [type(part).__name__ for part in projection] == ["ReLU", "Conv2d", "BatchNorm2d"]


SKIPPING = cell((("skip_connect", 0), ("conv_3x3", 1)), (("skip_connect", 2), ("conv_3x3", 0)))


@pytest.mark.parametrize(
    ("assembly", "module"), [("nasnet", SkipConnect), ("darts", FactorizedReduction)]
)
def test_identities_of_inputs_are_strided_in_reductions(
    assembly: str, module: type[nn.Module]
) -> None:
    reduction = cells_of(design(reduction=SKIPPING, assembly=assembly))[2]
    assert isinstance(operation(reduction), module)
    assert {stride for *_, stride in convolutions(operation(reduction))} == {2}
    inner = operation(reduction, 1)
    assert isinstance(inner, SkipConnect)
    assert weights_in(inner) == 0


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_identities_in_normal_cells_have_no_weights(assembly: str) -> None:
    for made in cells_of(design(normal=SKIPPING, assembly=assembly))[1:2]:
        assert weights_in(operation(made)) == weights_in(operation(made, 1)) == 0


def test_only_what_reads_an_input_has_the_stride_of_a_reduction() -> None:
    deep = cell((("conv_3x3", 0), ("conv_3x3", 1)), (("conv_3x3", 2), ("conv_3x3", 0)))
    reduction = cells_of(design(reduction=deep))[2]
    strides = [[convolutions(term)[0][3] for term in node.operations] for node in reduction.nodes]
    assert strides == [[2, 2], [1, 2]]


def test_a_concatenation_has_the_filters_of_both_and_what_reads_it_brings_them_back() -> None:
    wide = cell(
        (("conv_3x3", 0), ("conv_3x3", 1)), (("conv_1x1", 2), ("max_pool_3x3", 2)), combine="concat"
    )
    made = cells_of(design(wide))[1]
    assert convolutions(operation(made, 1, 0)) == [(8, 4, 1, 1)]
    assert convolutions(operation(made, 1, 1)) == [(8, 4, 1, 1)]
    assert convolutions(cells_of(design(wide))[2].inputs[0]) == [(8, 8, 1, 1)]


def out(*outputs: int) -> dict[str, Any]:
    return {**BOTH, "output": list(outputs)}


def test_an_input_that_fits_goes_out_as_it_is() -> None:
    made = cells_of(design(out(0, 2)))[1]
    assert (len(made.nodes), made.outputs) == (1, [0, 2])


def test_an_input_of_other_channels_is_projected_without_activation_to_go_out() -> None:
    first = cells_of(design(out(1, 2)))[0]
    assert first.outputs == [3, 2]
    (fit,) = first.nodes[1].operations
    assert isinstance(fit, ActivationConvNorm)
    assert [type(part).__name__ for part in fit] == ["Conv2d", "BatchNorm2d"]
    assert convolutions(fit) == [(12, 4, 1, 1)]


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_an_input_that_goes_out_of_a_reduction_is_reduced_without_activation(assembly: str) -> None:
    reduction = cells_of(design(reduction=out(0, 1, 2), assembly=assembly))[2]
    assert reduction.outputs == [3, 4, 2]
    for node in list(reduction.nodes)[1:]:
        (fit,) = node.operations
        assert isinstance(fit, FactorizedReduction)
        assert isinstance(fit.activation, nn.Identity)
        assert {stride for *_, stride in convolutions(fit)} == {2}
    network = built(design(out(0, 1), out(0, 1), assembly=assembly))
    assert network(torch.zeros(2, 3, 16, 16)).shape == (2, 10)


@pytest.mark.parametrize("assembly", ASSEMBLIES)
@pytest.mark.parametrize("unread", [0, 1])
def test_an_input_that_nothing_reads_has_no_weights(assembly: str, unread: int) -> None:
    alone = cell((("conv_3x3", 1 - unread), ("max_pool_3x3", 1 - unread)))
    for made in cells_of(design(alone, alone, assembly=assembly)):
        assert weights_in(made.inputs[unread]) == 0


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_an_input_that_goes_out_only_is_read(assembly: str) -> None:
    alone = {**cell((("conv_3x3", 0), ("max_pool_3x3", 0))), "output": [1, 2]}
    after = cells_of(design(alone, alone, assembly=assembly))[3]
    assert weights_in(after.inputs[1]) > 0


def unreached(network: nn.Module, scale: Scale) -> list[str]:
    """Names of the weights that no logit depends on."""
    images = torch.randn(2, *scale.input_shape, generator=torch.Generator().manual_seed(0))
    network(images).square().sum().backward()
    return [name for name, weights in network.named_parameters() if weights.grad is None]


@pytest.mark.parametrize("name", ["nasnet_cells", "darts_cells", "nas_bench_201"])
def test_every_weight_is_there_for_something(name: str) -> None:
    space = load_space(name)
    rng = np.random.default_rng(0)
    for _ in range(20):
        blueprint = space.decode(space.sample(rng))
        scale = space.scales["proxy"]
        assert unreached(build(blueprint, scale, seed=0), scale) == []


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_cells_that_no_later_cell_reads_are_not_built(assembly: str) -> None:
    older = cell((("conv_3x3", 1), ("max_pool_3x3", 1)))
    network = built(design(older, older, assembly=assembly))
    assert unreached(network, CIFAR) == []
    assert len(stack_of(network)) == 4  # every other one of eight


def drop_paths(network: nn.Module) -> list[float]:
    return [module.probability for module in network.modules() if isinstance(module, DropPath)]


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_paths_are_dropped_only_if_the_network_says_so(assembly: str) -> None:
    assert drop_paths(built(design(assembly=assembly))) == []
    assert drop_paths(built(design(assembly=assembly, drop_path=0))) == []
    made = built(design(assembly=assembly, drop_path=0.4))
    # eight cells of two operations; the probability grows with the place of the cell
    assert drop_paths(made) == pytest.approx([0.4 * (n // 2 + 1) / 8 for n in range(16)])
    assert all(
        isinstance(term, Dropped) for term in cells_of(design(drop_path=0.4))[0].nodes[0].operations
    )


def test_identities_and_outputs_are_never_dropped() -> None:
    skipping = cell((("skip_connect", 0), ("skip_connect", 1)), output=[1, 2])
    assert drop_paths(built(design(skipping, skipping, drop_path=0.4))) == []


@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_drop_path_changes_training_alone(assembly: str) -> None:
    plain, dropping = (built(design(assembly=assembly, drop_path=p)) for p in (0.0, 0.6))
    assert not set(plain.state_dict()) - {
        name.replace(".operations.0.0.", ".operations.0.").replace(
            ".operations.1.0.", ".operations.1."
        )
        for name in dropping.state_dict()
    }
    images = torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(plain.eval()(images), dropping.eval()(images))
        torch.manual_seed(0)
        first = dropping.train()(images)
        assert not torch.allclose(first, dropping(images))


@pytest.mark.parametrize(("assembly", "activated"), [("nasnet", True), ("darts", False)])
def test_only_cells_of_nasnet_end_with_an_activation(assembly: str, activated: bool) -> None:
    head = built(design(assembly=assembly)).get_submodule("head")
    assert isinstance(head, ClassifierHead)
    assert isinstance(head.convolution, nn.ReLU) == activated
    assert weights_in(head) == 16 * 10 + 10


def test_strides_that_a_small_map_drops_turn_reductions_into_cells_of_more_filters() -> None:
    small = replace(CIFAR, resolution_px=8, smallest_map_px=8, repeats=(1, 1, 1))
    network = built(design(reduction=SKIPPING), small)
    made = [part for part in stack_of(network) if isinstance(part, Cell)]
    assert not any(isinstance(part, FactorizedReduction) for part in network.modules())
    assert {stride for part in made for *_, stride in convolutions(part)} == {1}
    assert network(torch.zeros(2, 3, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("px", [5, 7, 9, 15, 33])
@pytest.mark.parametrize("assembly", ASSEMBLIES)
def test_odd_sizes_fit_everywhere(px: int, assembly: str) -> None:
    mixed = cell((("skip_connect", 0), ("avg_pool_3x3", 1)), (("max_pool_2x2", 2), ("conv_7x7", 0)))
    both = {**mixed, "output": [0, 1, 2, 3]}
    scale = replace(CIFAR, resolution_px=px, repeats=(1, 1, 1), far_input=assembly == "nasnet")
    network = built(design(both, both, assembly=assembly), scale).eval()
    assert network(torch.zeros(1, 3, px, px)).shape == (1, 10)


OF_CELLS = {p.blueprint.fingerprint: name for name, p in presets().items() if p.scale.filters}


def nas_bench_201(*names: str) -> Blueprint:
    edges = ("edge_01", "edge_02", "edge_12", "edge_03", "edge_13", "edge_23")
    network = {"builder": "nas_bench_201", "activation": "relu"}
    return Blueprint({**network, **dict(zip(edges, names, strict=True))})


def test_nas_bench_201_has_three_stages_with_residual_blocks_between() -> None:
    blueprint = nas_bench_201(*["conv_3x3"] * 6)
    network = build(blueprint, replace(CIFAR, filters=16, repeats=(5, 5, 5)), seed=0)
    names = [name for name, _ in network.named_children()]
    stages = ["stage_1", "reduction_1", "stage_2", "reduction_2", "stage_3"]
    assert names == ["stem", *stages, "norm", "head"]
    assert [len(network.get_submodule(name)) for name in stages[::2]] == [5, 5, 5]  # type: ignore[arg-type]
    assert all(isinstance(network.get_submodule(n), ResidualReduction) for n in stages[1::2])
    assert isinstance(network.get_submodule("norm"), NormActivation)
    # arXiv 2001.00326 gives 1.53M parameters for its largest design.
    assert weights_in(network) == 1_531_546


def test_a_cell_of_zeros_gives_every_image_the_same_logits() -> None:
    network = build(nas_bench_201(*["none"] * 6), CIFAR, seed=0).eval()
    with torch.no_grad():
        logits = network(torch.randn(3, 3, 16, 16))
    # The residual blocks between the stages see zeros too.
    torch.testing.assert_close(logits, logits[:1].expand(3, -1))


@pytest.mark.parametrize("name", OF_CELLS.values())
def test_no_published_network_of_cells_has_weights_to_no_end(name: str) -> None:
    found = presets()[name]
    scale = replace(found.scale, filters=8, repeats=(1, 1, 1), resolution_px=32, classes=3)
    assert unreached(Network(plan_network(found.blueprint, scale)), scale) == []


def test_nodes_list_the_operations_of_the_live_graph_in_order() -> None:
    written = cell(
        (("none", 0), ("conv_3x3", 1)),
        (("conv_1x1", 0), ("none", 1)),
        (("none", 0), ("none", 1)),
        output=[2, 3, 4],
    )
    made = cells_of(design(written, BOTH))[0]
    assert [len(node.operations) for node in made.nodes if isinstance(node, Node)] == [1, 1]
    assert [node.states for node in made.nodes] == [[1], [0]]
    assert made.outputs == [2, 3]
