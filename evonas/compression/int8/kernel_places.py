"""Which tensors have 8 bits: what ONNX Runtime's kernels of 8 bits read and give on a processor.

A tensor of 8 bits is in front of every layer with weights and behind it. Between layers it is kept
in 8 bits as far as there are kernels: what an operation of `KERNELS` reads has 8 bits if what it
gives has. All else stays as it is; linear layers give numbers of 32 bits where these are outputs.

Whether all in between has 8 bits decides over the speed, by the paired clock on one core with
AVX512-VNNI: with gates and SiLU in 32 bits, a network of mobile_cells with squeeze-excite runs at
1.4 times the speed of its 32 bits and a detector of 320 px at 0.7 times; in 8 bits at 1.7 times and
at 1.0 times.
"""

from evonas.compression.int8.folding import Layer, layers
from evonas.compression.int8.traced_graph import Graph, Operation, Value

# Activations that leave a kernel with its result, as their ends are ends of its range.
CLIPS = ("relu", "hardtanh")
# Operations that move numbers and make no new ones: what they give has the range of what they read.
MOVES = (
    "max_pool2d_with_indices",
    "view",
    "_unsafe_view",
    "transpose",
    "slice",
    "clone",
    "alias",
    "upsample_nearest2d",
)
GATED = ("silu", "hardswish", "hardsigmoid")  # of which `fake` makes several operations of 8 bits
KERNELS = ("add", "mul", "cat", "avg_pool2d", "mean", "sigmoid", "leaky_relu", *GATED)
# Weights of an output: those of fewer than a register holds are slower in 8 bits, if they read
# images, whose few channels kernels do not share out (the first layer of MobileNets, 27).
LEAST_WEIGHTS = 64


class Placement:
    """The places of 8 bits in a graph.

    Attributes:
        layers: Those computed in 8 bits, by their results.
        sites: For each tensor of 8 bits that whose range it has: mostly itself.
    """

    def __init__(self, graph: Graph) -> None:
        self.layers = {v: layer for v, layer in layers(graph).items() if not _is_slow(graph, layer)}
        self._readers, self._of_images = graph.readers, graph.behind([graph.images])
        self._outputs = {*graph.outputs.values()}
        self._sources: dict[Value, Value] = {}
        # Backwards, as what is behind an operation decides over what is before it.
        for operation in reversed(graph.operations):
            if operation.result in self._of_images:
                self._look_at(operation)
        self.sites = {value: self._source(value) for value in self._sources}

    def _look_at(self, operation: Operation) -> None:
        left = self._left(operation)
        if operation.result in self.layers:
            self._add(self.layers[operation.result].given)
            if operation.kind != "addmm" or left not in self._outputs:
                self._add(left)
        elif left not in self._sources:
            return
        elif operation.kind in MOVES and left == operation.result:
            self._add(*operation.reads)
            self._sources[left] = operation.reads[0]
        elif operation.kind in KERNELS and self._of_images.issuperset(operation.reads):
            self._add(*operation.reads)

    def _left(self, operation: Operation) -> Value:
        """What leaves a kernel: the result, or what the only activation behind makes of it."""
        readers = self._readers[operation.result]
        is_clipped = [reader.kind in CLIPS for reader in readers] == [True]
        if is_clipped and operation.result not in self._outputs:
            return readers[0].result
        return operation.result

    def _add(self, *values: Value) -> None:
        for value in values:
            self._sources.setdefault(value, value)

    def _source(self, value: Value) -> Value:
        while self._sources[value] != value:
            value = self._sources[value]
        return value


def _is_slow(graph: Graph, layer: Layer) -> bool:
    return layer.given == graph.images and graph.weights[layer.weight][0].numel() < LEAST_WEIGHTS
