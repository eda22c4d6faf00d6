"""Weights are proved by what their own program gives with them, or not written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from conftest import typed
from torch import nn

from evonas.conversion.fingerprint import fingerprint

EXAMPLE = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
WORDS = ("--preset", "lenet5", "--to", "made/lenet.safetensors")


@pytest.fixture
def program() -> nn.Module:
    """LeNet as somebody else writes it."""
    torch.manual_seed(3)
    convolutions = [nn.Conv2d(3, 6, 5), nn.ReLU(), nn.MaxPool2d(2)]
    convolutions += [nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    linear = [nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)]
    return nn.Sequential(*convolutions, *linear).eval()


def output(program: nn.Module) -> list[float]:
    with torch.no_grad():
        numbers: list[float] = program(EXAMPLE)[0].tolist()
    return numbers


def proof_of(*words: str) -> dict[str, object]:
    call = typed("weights", *words, *WORDS, "--json")
    assert call.returncode == 0, call.stderr
    assert Path("made/lenet.safetensors").exists()
    proof: dict[str, object] = json.loads(call.stdout)["proof"]
    return proof


# How files of torch are found in the wild.
FILES: dict[str, Callable[[nn.Module], None]] = {
    "state dict": lambda program: torch.save(program.state_dict(), "given.pth"),
    "checkpoint": lambda program: torch.save(
        {"epoch": 3, "state_dict": {f"module.{n}": t for n, t in program.state_dict().items()}},
        "given.pth",
    ),
    "before torch 1.6": lambda program: torch.save(
        program.state_dict(), "given.pth", _use_new_zipfile_serialization=False
    ),
    "safetensors": lambda program: safetensors.torch.save_file(program.state_dict(), "given.pth"),
}


@pytest.mark.parametrize("kind", FILES)
def test_weights_are_read_and_proved_by_an_output(kind: str, program: nn.Module) -> None:
    FILES[kind](program)
    Path("output.json").write_text(json.dumps([output(program)]))
    proof = proof_of("given.pth", "--output", "output.json")
    assert (proof["by"], proof["numbers"]) == ("output", 10)
    found = safetensors.torch.load_file("made/lenet.safetensors")
    assert torch.equal(found["head.3.0.weight"], program.state_dict()["11.weight"])


def test_an_output_may_be_numbers_or_an_array(program: nn.Module) -> None:
    torch.save(program.state_dict(), "given.pth")
    numbers = output(program)
    np.save("output.npy", np.array(numbers))
    assert proof_of("given.pth", "--output", "output.npy")["numbers"] == 10
    Path("made/lenet.safetensors").unlink()
    call = typed("weights", "given.pth", *WORDS, f"--output={numbers[0]},{numbers[1]}")
    assert "Proved by 2 numbers of the output, which differ by" in call.stdout


def test_a_fingerprint_proves_the_function(program: nn.Module) -> None:
    torch.save(program.state_dict(), "given.pth")
    figures = fingerprint(program, 32)
    values = {"size": 32, "first4": [1, 2, 3, 4], "sum": figures.sum, "l2": figures.length}
    Path("print.json").write_text(json.dumps(values))
    assert proof_of("given.pth", "--output", "print.json") == {"by": "fingerprint", "side_px": 32}
    Path("made/lenet.safetensors").unlink()
    for changes, told in (({"sum": 1.5}, "these are two functions"), ({"size": 64}, "32 px alone")):
        Path("print.json").write_text(json.dumps({**values, **changes}))
        call = typed("weights", "given.pth", *WORDS, "--output", "print.json")
        assert call.returncode == 2
        assert told in call.stderr
        assert not Path("made").exists() or not [*Path("made").iterdir()]


def test_weights_that_give_other_numbers_are_not_written(program: nn.Module) -> None:
    torch.save(program.state_dict(), "given.pth")
    other = [-number for number in output(program)]
    Path("output.json").write_text(json.dumps(other))
    call = typed("weights", "given.pth", *WORDS, "--output", "output.json")
    assert call.returncode == 2
    assert "they differ by" in call.stderr
    assert "Nothing was written." in call.stderr
    assert not Path("made").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("missing.json", "No such file"),
        ("1,two", "could not convert"),
        ("text.json", "Expecting value"),
        ("other.json", "Write numbers with commas"),
        ("1," * 10 + "1", "has 11 numbers, and lenet5 gives 10"),
        ("nan", "is not finite"),
    ],
)
def test_an_output_that_is_none_is_told(given: str, told: str, program: nn.Module) -> None:
    torch.save(program.state_dict(), "given.pth")
    Path("text.json").write_text("text")
    Path("other.json").write_text('{"logits": [1]}')
    call = typed("weights", "given.pth", *WORDS, "--output", given)
    assert call.returncode == 2
    assert told in call.stderr
    assert "Traceback" not in call.stderr


def test_without_an_output_it_is_said_what_is_not_proved(program: nn.Module) -> None:
    state = program.state_dict()
    state["7.weight"] = state["7.weight"].half()
    torch.save(state, "given.pth")
    call = typed("weights", "given.pth", *WORDS)
    assert (call.returncode, call.stderr) == (0, "")
    assert "given.pth (state dict): 62,006 numbers are 5 of 5 layers of lenet5" in call.stdout
    assert safetensors.torch.load_file(WORDS[-1])["head.1.0.weight"].dtype == torch.float32


class Trap:
    """What runs when somebody loads a file without care."""

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (Path("sprung"),)


def test_no_program_in_a_file_is_run(program: nn.Module) -> None:
    torch.save({"state_dict": program.state_dict(), "trap": Trap()}, "trap.pth")
    torch.save(program, "whole.pth")
    torch.save({"epoch": 3}, "empty.pth")
    Path("cut.pth").write_bytes(Path("whole.pth").read_bytes()[:999])
    Path("cut.safetensors").write_bytes(b"\x20" + bytes(7) + b"{cut")
    for name in ("trap.pth", "whole.pth", "empty.pth", "cut.pth", "cut.safetensors"):
        call = typed("weights", name, *WORDS)
        assert call.returncode == 2, name
        assert name in call.stderr
        assert "Traceback" not in call.stderr
    assert not Path("sprung").exists()
