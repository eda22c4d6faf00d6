from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from conftest import a_network, a_problem, a_stage
from torch import nn

from evonas.blueprint import Blueprint
from evonas.compression import STEPS
from evonas.compression.packing.integers import Integers
from evonas.compression.packing.pack import pack, unpack
from evonas.compression.packing.weight_blocks import block_size, cut
from evonas.compression.quant_noise import Noise
from evonas.compression.step import StepKit
from evonas.data.dataset import Split
from evonas.errors import SettingsError
from evonas.models import Network, build
from evonas.networks import Scale
from evonas.settings import CompressionSettings, TrainingSettings
from evonas.settings.compression import QuantNoiseSettings
from evonas.training import Progress, load_checkpoint, save_checkpoint, train
from evonas.training.parts import weighted

CPU = torch.device("cpu")
SCALE = Scale("proxy", 16)
each = pytest.mark.parametrize("method", ["int8", "int4", "pq"])

Weights = Mapping[str, torch.Tensor]


def network() -> Network:
    """Pointwise, depthwise and other convolutions, one of them large enough for codewords."""
    stages = [
        a_stage(operation="inverted_residual", expansion=3, se_ratio=0.25),
        a_stage(channels=64, layers=2),
    ]
    return build(Blueprint(a_network(*stages)), SCALE, seed=0).train()


def noise(method: str, share: float = 0.5, block: int = 8) -> Noise:
    values: dict[str, Any] = {"method": method, "share": share, "block": block}
    return Noise(QuantNoiseSettings(**values), seed=0)


def images() -> torch.Tensor:
    return torch.randn(4, *SCALE.input_shape, generator=torch.Generator().manual_seed(0))


def used_weights(network: Network, attachment: Noise) -> Weights:
    """What the layers compute with in one pass, by name."""
    used: dict[str, torch.Tensor] = {}
    names = {module: f"{name}.weight" for name, module in network.named_modules()}
    with attachment.attached(network, CPU, {}):
        attachment.before_epoch()
        handles = [
            layer.register_forward_pre_hook(
                lambda layer, _: used.update({names[layer]: layer.weight})
            )
            for layer in weighted(network)
        ]
        torch.manual_seed(1)
        network(images())
    for handle in handles:
        handle.remove()
    return used


def stored_weights(network: Network, method: str, attachment: Noise) -> Weights:
    """What they would be in the file."""
    packers = {"int8": Integers(8), "int4": Integers(4), "pq": attachment.product}
    return unpack(pack(network.state_dict(), packers[method]))


@pytest.mark.parametrize("method", ["int8", "int4"])
@pytest.mark.parametrize(("share", "block"), [(0.1, 4), (0.5, 8), (1.0, 8)])
def test_a_share_of_blocks_is_what_the_file_would_hold_and_the_rest_is_exact(
    method: str, share: float, block: int
) -> None:
    subject = network()
    state, stored = subject.state_dict(), stored_weights(subject, method, noise(method))
    distorted = blocks = 0
    for name, used in used_weights(subject, noise(method, share, block)).items():
        size = block_size(used.shape, block)
        own, right, plain = (cut(each.detach(), size) for each in (used, stored[name], state[name]))
        is_stored, is_plain = ((own == other).all(-1) for other in (right, plain))
        assert (is_stored | is_plain).all()
        distorted += int(is_stored.sum())
        blocks += is_stored.numel()
    assert distorted / blocks == pytest.approx(share, abs=0.03)


def test_blocks_of_product_quantisation_are_codewords_or_exact() -> None:
    subject, attachment = network(), noise("pq", share=0.5)
    names = [name for name, w in subject.state_dict().items() if w.dim() > 1]
    smaller = [n for n in names if attachment.product.is_smaller(subject.state_dict()[n].shape)]
    assert 0 < len(smaller) < len(names)
    used = used_weights(subject, attachment)
    for name in smaller:
        plain = subject.state_dict()[name]
        own, right = (
            cut(each.detach(), block_size(plain.shape, 8)) for each in (used[name], plain)
        )
        distorted = own[(own != right).any(-1)]
        assert len(distorted) / own[..., 0].numel() == pytest.approx(0.5, abs=0.1)
        assert len(distorted.unique(dim=0)) <= 256
    stored = stored_weights(subject, "int8", attachment)
    others = used_weights(network(), noise("pq", share=1))
    for name in set(names) - {*smaller}:
        assert torch.equal(others[name], stored[name])


@each
def test_gradients_are_those_of_the_distorted_weights_and_reach_all(method: str) -> None:
    subject, attachment = network(), noise(method)
    with attachment.attached(subject, CPU, {}):
        attachment.before_epoch()
        torch.manual_seed(1)
        subject(images()).square().sum().backward()
    other = network()
    used = used_weights(other, noise(method))
    other.load_state_dict({**network().state_dict(), **{n: w.detach() for n, w in used.items()}})
    other(images()).square().sum().backward()
    for (name, own), right in zip(subject.named_parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(own.grad, right.grad, msg=name)


@each
def test_nothing_is_distorted_in_evaluation_and_nothing_remains(method: str) -> None:
    subject, attachment = network(), noise(method, share=1)
    names, hooks = list(subject.state_dict()), hooks_of(subject)
    wanted = subject.eval()(images())
    with attachment.attached(subject, CPU, {}):
        attachment.before_epoch()
        assert list(subject.state_dict()) == names
        assert torch.equal(subject(images()), wanted)
        subject.train()(images())
        with pytest.raises(RuntimeError, match="channels"):
            subject(torch.zeros(1, 2, 16, 16))
        assert all("weight" not in vars(layer) for layer in subject.modules())
    assert hooks_of(subject) == hooks
    assert all("weight" not in vars(layer) for layer in subject.modules())
    assert not attachment.layers
    assert not attachment.distortions
    assert attachment.state == {}


def hooks_of(network: nn.Module) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in network.modules())


def trained(
    method: str | None, until: int | None = None, seed: int = 3, **more: Any
) -> tuple[Network, Progress]:
    subject = network()
    attachments = [noise(method)] if method else []
    recipe = TrainingSettings(epochs=2, batch_size=16)
    progress = train(subject, *data(), recipe, seed, until=until, attachments=attachments, **more)
    return subject, progress


def data() -> tuple[Split, Any]:
    generator = np.random.default_rng(0)
    pictures = generator.integers(0, 256, (48, 3, 16, 16), dtype=np.uint8)
    return Split(pictures, np.arange(48) % 10), a_problem(10, (0.5,) * 3, (0.25,) * 3)


def equal(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(*pair) for pair in pairs)


@each
@pytest.mark.parametrize("bfloat16", [False, True])
def test_a_seed_gives_the_same_weights_also_when_the_training_was_stopped(
    method: str, bfloat16: bool, working_folder: Any
) -> None:
    whole, progress = trained(method, bfloat16=bfloat16)
    assert equal(whole, trained(method, bfloat16=bfloat16)[0])
    assert not equal(whole, trained(None, bfloat16=bfloat16)[0])
    half, stopped = trained(method, until=1, bfloat16=bfloat16)
    save_checkpoint(working_folder / "half", half, stopped, "key")
    other = network()
    loaded = load_checkpoint(working_folder / "half", other, "key")
    assert loaded is not None
    recipe = TrainingSettings(epochs=2, batch_size=16)
    train(other, *data(), recipe, 3, progress=loaded, attachments=[noise(method)])
    assert equal(whole, other)
    assert loaded.curve == progress.curve


def kit(method: str, device: str = "cpu", **recipe: Any) -> StepKit:
    settings = CompressionSettings.model_validate({"quant_noise": {"method": method}})
    nothing: Any = None
    return StepKit(
        settings, TrainingSettings(**recipe), {}, nothing, nothing, 0, torch.device(device)
    )


def test_the_step_asks_for_noise_and_makes_nothing_of_the_network_afterwards() -> None:
    step = STEPS["quant_noise"]
    assert step.acts_in_training
    assert not step.is_on(CompressionSettings())
    assert step.is_on(kit("int4").settings)
    attachment = step.attachment(kit("int4"))
    assert isinstance(attachment, Noise)
    assert attachment.settings.method == "int4"


def test_codewords_are_refused_where_a_step_is_recorded() -> None:
    step = STEPS["quant_noise"]
    assert step.attachment(kit("int8", "cuda", cuda_graphs=True))
    assert step.attachment(kit("pq", "cpu", cuda_graphs=True))
    with pytest.raises(SettingsError, match="cuda_graphs=false"):
        step.attachment(kit("pq", "cuda", cuda_graphs=True))


def test_a_share_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="greater than 0"):
        QuantNoiseSettings(method="int8", share=0)
