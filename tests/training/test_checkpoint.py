from pathlib import Path

import pytest
import torch
from torch import nn

from evonas.training import Progress, load_checkpoint, save_checkpoint


def network_of(value: float) -> nn.Module:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for tensor in network.state_dict().values():
        tensor.fill_(value)
    return network


@pytest.fixture
def file(tmp_path: Path) -> Path:
    progress = Progress(
        2,
        {"optimizer.00000.step": torch.tensor(8.0), "trained.a": torch.arange(3)},
        [1 / 3, float("nan")],
        [0.25, 0.5],
        bfloat16=True,
    )
    save_checkpoint(tmp_path / "checkpoint.safetensors", network_of(3.0), progress, "key")
    return tmp_path / "checkpoint.safetensors"


def test_a_checkpoint_gives_back_all_that_went_in(file: Path) -> None:
    network = network_of(0.0)
    progress = load_checkpoint(file, network, "key")
    assert progress is not None
    assert progress.epochs_done == 2
    assert progress.curve[0] == 1 / 3
    assert progress.curve[1] != progress.curve[1], "not a number, and still there"
    assert progress.validation_curve == [0.25, 0.5]
    assert progress.bfloat16
    assert progress.state.keys() == {"optimizer.00000.step", "trained.a"}
    assert progress.state["optimizer.00000.step"].shape == ()
    assert torch.equal(progress.state["trained.a"], torch.arange(3))
    assert all((tensor == 3).all() for tensor in network.state_dict().values())


@pytest.mark.parametrize("content", [None, b"", b"no tensors", "half", "other"])
def test_what_is_not_this_trainings_is_not_gone_on_from(
    file: Path, content: bytes | str | None
) -> None:
    whole = file.read_bytes()
    file.unlink()
    if content is not None and content != "other":
        file.write_bytes(whole[: len(whole) // 2] if content == "half" else content)  # type: ignore[arg-type]
    elif content == "other":
        file.write_bytes(whole)
    network = network_of(0.0)
    assert load_checkpoint(file, network, "another key") is None
    if content != "other":
        assert load_checkpoint(file, network, "key") is None
    assert all((tensor == 0).all() for tensor in network.state_dict().values())


def test_a_new_checkpoint_takes_the_place_of_the_old_and_nothing_else_is_left(file: Path) -> None:
    save_checkpoint(file, network_of(4.0), Progress(3), "key")
    progress = load_checkpoint(file, network_of(0.0), "key")
    assert progress is not None
    assert progress.epochs_done == 3
    assert list(file.parent.iterdir()) == [file]
