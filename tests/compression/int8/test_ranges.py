import torch
from small_networks import SHAPE, images
from torch import nn

from evonas.compression.int8.fake import fake_quantised
from evonas.compression.int8.ranges import Range, calibrated
from evonas.compression.int8.traced_graph import GraphNetwork, graph_of


def test_zero_is_exact_and_the_ends_are_within_half_a_step() -> None:
    for low, high in ((-1.0, 3.0), (0.2, 5.0), (-7.0, -2.0), (0.0, 0.0)):
        of = Range.of(low, high)
        ends = torch.tensor([low, 0.0, high])
        found = fake_quantised(of, ends)
        assert found[1] == 0
        assert float((found - ends).abs().max()) <= of.scale / 2 + 1e-6
        assert 0 <= of.zero <= 255


def network() -> GraphNetwork:
    return GraphNetwork(graph_of(nn.ReLU(), ["out"], SHAPE), ["out"], ["out"])


def test_ranges_reach_over_all_images() -> None:
    given = images(70)
    given[69, 0, 0, 0] = 100
    made = network()
    (value,) = made.graph.outputs.values()
    found = calibrated(made, [made.graph.images, value], given, 100)
    assert found[value] == Range.of(0, 100)
    assert found[made.graph.images] == Range.of(float(given.min()), 100)


def test_a_percentile_leaves_out_both_ends() -> None:
    given = images(70)
    given[69, 0, 0, :2] = torch.tensor([1000.0, -1000.0])
    made = network()
    of = calibrated(made, [made.graph.images], given, 99.9)[made.graph.images]
    low, high = given.flatten()[:10_000].quantile(torch.tensor([0.0005, 0.9995])).tolist()
    step = 2000 / 4096
    assert abs(of.scale * 255 - (high - low)) < 2.5 * step
