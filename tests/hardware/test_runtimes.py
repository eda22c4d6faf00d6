import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from evonas.errors import SettingsError
from evonas.exporters.onnx import onnx_model
from evonas.hardware.runtimes import RUNTIMES, _in_half_precision, check_runtime, clock_of
from evonas.settings import LatencySettings

SHAPE = (3, 8, 8)
HERE = [name for name, runtime in RUNTIMES.items() if runtime.lack() is None]
MISSING = [name for name in RUNTIMES if name not in HERE]
SLOW = {"torch-inductor"}


def network(width: int = 4) -> nn.Module:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, 2, 6)]
    return nn.Sequential(*layers).eval()


def test_the_settings_and_the_table_name_the_same_runtimes() -> None:
    field = LatencySettings.model_fields["runtime"]
    assert tuple(RUNTIMES) == field.annotation.__args__  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in HERE]
)
@pytest.mark.filterwarnings("ignore")  # the compiler's own
def test_a_runtime_that_is_there_tells_how_long_a_run_takes(name: str) -> None:
    settings = LatencySettings(runtime=name, batch=2, threads=2)
    before = torch.get_num_threads()
    timed = check_runtime(settings).load(network(), SHAPE, settings)
    assert timed.run() > 0
    assert timed.run(3) > 0
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("name", ["onnxruntime", "torch"])
def test_a_network_of_a_hundred_times_the_work_takes_longer(name: str) -> None:
    settings = LatencySettings(runtime=name)
    small, large = (
        check_runtime(settings).load(network(width), (3, 24, 24), settings) for width in (4, 400)
    )
    assert min(large.run() for _ in range(5)) > min(small.run() for _ in range(5))


@pytest.mark.parametrize("name", MISSING)
def test_a_runtime_that_is_not_there_says_what_to_install_and_what_is_there(name: str) -> None:
    with pytest.raises(SettingsError, match=f"latency.runtime={name}: it needs") as caught:
        check_runtime(LatencySettings(runtime=name))
    assert "Install" in str(caught.value)
    assert f"Here are: {', '.join(HERE)}." in str(caught.value)


@pytest.mark.parametrize(
    ("name", "precision"), [("onnxruntime", "fp16"), ("onnxruntime", "bf16"), ("torch", "fp16")]
)
def test_a_precision_that_would_only_be_converted_is_refused(name: str, precision: str) -> None:
    wanted = f"latency.precision={precision}: {name} has no kernels for it.*is for .*cuda"
    with pytest.raises(SettingsError, match=wanted):
        check_runtime(LatencySettings(runtime=name, precision=precision))


def test_torch_computes_in_16_bits_where_it_says_so() -> None:
    seen = []
    made = network()
    made[0].register_forward_hook(lambda module, given, output: seen.append(output.dtype))
    settings = LatencySettings(runtime="torch", precision="bf16")
    check_runtime(settings).load(made, SHAPE, settings).run()
    assert set(seen) == {torch.bfloat16}
    assert made[0].weight.dtype == torch.float32, "the network itself stays as it was"


def test_torch_times_networks_and_no_onnx_models() -> None:
    settings = LatencySettings(runtime="torch")
    with pytest.raises(SettingsError, match="times torch networks, and this is an ONNX"):
        check_runtime(settings).load_written(onnx_model(network(), SHAPE), settings)


@pytest.mark.filterwarnings("ignore")  # of weights that are rounded
def test_half_precision_halves_the_weights() -> None:
    import onnx

    halved = onnx.load_from_string(_in_half_precision(onnx_model(network(), SHAPE)))
    weights = [each for each in halved.graph.initializer if len(each.dims) == 4]
    assert {each.data_type for each in weights} == {onnx.TensorProto.FLOAT16}


def test_one_thread_is_charged_for_its_own_time_alone() -> None:
    clock = clock_of(1)
    with ThreadPoolExecutor(1) as other:
        start = time.perf_counter()
        own = clock()
        other.submit(sum, range(1_000_000)).result()
        assert clock() - own < time.perf_counter() - start
    assert clock_of(2) is time.perf_counter
