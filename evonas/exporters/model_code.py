"""The network that model.py defines. Running that file is running whatever it says."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from evonas.errors import ExportError
from evonas.networks.problem import Problem
from evonas.tasks import task_of
from evonas.tasks.task import in_words, outputs_of
from evonas.user_code import place_of, summary_of


@dataclass(frozen=True)
class Source:
    """What model.py defines."""

    network: nn.Module
    example: torch.Tensor


def defined(code: bytes, file: Path) -> Source:
    """What the code defines, with weights of its own making.

    Args:
        code: What `file` holds; that is not read again.

    Raises:
        ExportError: The code ends the process or fails.
    """
    with _told_of(file):
        module = _run(code, file)
        return Source(module.Network(), module.example_input())


def unpacked_by(code: bytes, file: Path, packed: Path) -> dict[str, torch.Tensor]:
    """The weights that the code's `load_packed` reads from a file of packed ones.

    Args:
        code: What `file` holds; that is not read again.

    Raises:
        ExportError: The code ends the process or fails.
    """
    with _told_of(file):
        return dict(_run(code, file).load_packed(packed))


def run_source(
    code: bytes, file: Path, input_shape: tuple[int, int, int], problem: Problem
) -> Source:
    """The network that the code defines, with weights of its own making.

    Args:
        code: What `file` holds; that is not read again.
        input_shape: (channels, height, width) of an image.

    Raises:
        ExportError: The code ends the process, fails, or defines another network.
    """
    source = defined(code, file)
    with _told_of(file):
        shapes = _output_shapes(source)
    taken, wanted = tuple(source.example.shape), (1, *input_shape)
    right = task_of(problem).right_shapes(shapes, problem)
    if taken != wanted or right is not None:
        raise ExportError(
            f"{file}: the network takes {taken} and gives {in_words(shapes)}, and has to take "
            f"{wanted} and give {right or in_words(shapes)}: input and classes of recipe.yaml."
        )
    return source


def _run(code: bytes, file: Path) -> ModuleType:
    module = ModuleType("evonas_exported_model")
    module.__file__ = str(file)
    exec(compile(code, str(file), "exec"), module.__dict__)
    return module


@contextmanager
def _told_of(file: Path) -> Iterator[None]:
    """Whatever the code of a file does instead of defining a network, as an ExportError."""
    try:
        yield
    except SystemExit as end:
        raise ExportError(
            f"{file} ends the process, by SystemExit({end.code!r}), instead of defining a "
            "network. Take that out of it."
        ) from None
    except KeyboardInterrupt:
        raise
    except BaseException as problem:
        raise ExportError(
            f"{file} does not define a network that works: {_told(problem)}."
        ) from problem


def _output_shapes(source: Source) -> list[tuple[int, ...]]:
    """Of what the network makes of the example."""
    is_training = source.network.training
    with torch.no_grad():
        outputs = outputs_of(source.network.eval()(source.example))
    source.network.train(is_training)
    return [tuple(output.shape) for output in outputs]


def _told(problem: BaseException) -> str:
    """What was raised, and on which line of the file."""
    return f"{summary_of(problem)} {place_of(problem)}".strip()
