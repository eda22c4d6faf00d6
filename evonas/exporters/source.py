"""A network as plain torch source: the classes it is made of and one constructor call a layer.

The classes' source is taken from `evonas.models` itself, together with everything they name,
so the file is the very network that was searched and needs no evonas to run.
"""

import ast
import importlib
import inspect
import textwrap
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import cache
from types import ModuleType
from typing import Any

from evonas.models.constants import set_constants
from evonas.models.count import output_shapes
from evonas.models.modules import MODULES
from evonas.networks.plan import IMAGES, Layer, Part, Plan
from evonas.tasks.detection.detect import detect

OWN = "evonas."
# Functions that go with the source of a network: by what it gives.
COMPANIONS: Mapping[tuple[str, ...], Sequence[Callable[..., Any]]] = {("boxes", "scores"): [detect]}
WIDTH = 100


def network_source(plan: Plan, title: str, companions: Sequence[Callable[..., Any]] = ()) -> str:
    """The text of model.py: imports, classes, `Network`, `example_input` and `load`.

    Args:
        companions: Functions of evonas that go with it, beside those of its outputs: what reads
            packed weights, for one (`exporters.packed_weights.load_packed`).
    """
    collected = _Collected()
    for name in dict.fromkeys(layer.module for layer in plan.layers):
        collected.take(name, importlib.import_module(MODULES[name].__module__))
    if plan.constants:
        collected.take(set_constants.__name__, importlib.import_module(set_constants.__module__))
    for function in (*COMPANIONS.get(plan.deployed, ()), *companions):
        collected.take(function.__name__, importlib.import_module(function.__module__))
    imports = sorted({*collected.imports, "import torch", "from torch import nn"})
    imports += ["from pathlib import Path", "from safetensors.torch import load_file"]
    parts = [
        f'"""{title}\n\nPlain torch: `network = load()`; see README.md beside this file."""',
        _sorted_imports(imports),
        *collected.definitions,
        _network_class(plan),
        _example_input(plan),
        LOAD,
    ]
    return "\n\n\n".join(parts) + "\n"


LOAD = '''def load(folder: Path = Path(__file__).parent) -> Network:
    """The network with the weights in weights.safetensors beside this file, ready to predict."""
    network = Network()
    network.load_state_dict(load_file(folder / "weights.safetensors"))
    return network.eval()'''


class _Collected:
    """Definitions in an order in which each comes after those that it names."""

    def __init__(self) -> None:
        self.definitions: list[str] = []
        self.imports: set[str] = set()
        self._taken: set[tuple[str, str]] = set()

    def take(self, name: str, module: ModuleType) -> None:
        """Takes the definition of `name` in `module`, and first of all what that names."""
        lines, statements = _read(module)
        for node in statements:
            if isinstance(node, ast.ImportFrom | ast.Import):
                self._follow_import(node, name)
            elif name in _defined_names(node) and (module.__name__, name) not in self._taken:
                self._taken.add((module.__name__, name))
                for used in _used_names(node):
                    if used != name:
                        self.take(used, module)
                self.definitions.append(_segment(lines, node))

    def _follow_import(self, node: ast.Import | ast.ImportFrom, name: str) -> None:
        for alias in node.names:
            if (alias.asname or alias.name) != name:
                continue
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(OWN):
                self.take(alias.name, importlib.import_module(str(node.module)))
            elif isinstance(node, ast.ImportFrom):
                self.imports.add(f"from {node.module} import {alias.name}")
            else:
                self.imports.add(f"import {alias.name}")


@cache
def _read(module: ModuleType) -> tuple[Sequence[str], Sequence[ast.stmt]]:
    """A module's lines and its statements, read once: a network names hundreds of things."""
    text = inspect.getsource(module)
    return text.splitlines(), ast.parse(text).body


def _segment(lines: Sequence[str], node: ast.stmt) -> str:
    """The source of a statement that begins its line, with its decorators."""
    first = min([node.lineno, *(each.lineno for each in getattr(node, "decorator_list", ()))])
    *whole, last = lines[first - 1 : node.end_lineno]
    return "\n".join([*whole, last.encode()[: node.end_col_offset].decode()])


def _defined_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
        return [node.target.id]
    if isinstance(node, ast.Assign):
        return [target.id for target in node.targets if isinstance(target, ast.Name)]
    return []


def _used_names(node: ast.stmt) -> Iterable[str]:
    names = (n.id for n in ast.walk(node) if isinstance(n, ast.Name))
    return dict.fromkeys(names)


def _sorted_imports(lines: Iterable[str]) -> str:
    """Standard library first, then the rest, as isort does."""
    unique = sorted(dict.fromkeys(lines), key=lambda line: (line.startswith("from"), line))
    others = [line for line in unique if line.split()[1].split(".")[0] in ("torch", "safetensors")]
    standard = [line for line in unique if line not in others]
    return "\n".join(standard) + "\n\n" + "\n".join(others)


def _network_class(plan: Plan) -> str:
    lines = [
        "class Network(nn.Module):",
        *_docstring(plan),
        "",
        f"    outputs = {_names(plan.deployed)}",
        *_learning(plan),
        "",
        "    def __init__(self) -> None:",
        "        super().__init__()",
    ]
    for part in plan.parts:
        lines += _part_lines(part.name, part.layers)
    if plan.constants:
        said = ", ".join(f"{key}={value!r}" for key, value in plan.constants.items())
        lines.append(f"        {set_constants.__name__}(self, {said})")
    return "\n".join([*lines, "", *_forward(plan)])


def _learning(plan: Plan) -> list[str]:
    """A training may need more than what is deployed."""
    if plan.outputs == plan.deployed:
        return []
    return [f"    is_learning = False  # True: gives {', '.join(plan.outputs)}"]


def _docstring(plan: Plan) -> list[str]:
    """What the network takes and gives; of several outputs each under its name."""
    plan = plan.as_deployed()
    channels, height, width = plan.input_shape
    names = plan.outputs if len(plan.outputs) > 1 else ("logits",)
    shapes = (f"(batch, {', '.join(map(str, shape))})" for shape in output_shapes(plan))
    given = [f"{name} {shape}" for name, shape in zip(names, shapes, strict=True)]
    start = f'    """(batch, {channels}, {height}, {width}) to '
    line = f'{start}{", ".join(given)}."""'
    if len(line) <= WIDTH:
        return [line]
    return [
        f"{start}{given[0]},",
        *(f"    {more}," for more in given[1:-1]),
        f'    {given[-1]}."""',
    ]


def _names(names: Iterable[str]) -> str:
    """A tuple as Python writes it."""
    return f"({' '.join(f'{_expression(name)},' for name in names)})"


def _forward(plan: Plan) -> list[str]:
    """The maps of each part under its name; in a row of parts all are called `maps`."""
    names = [IMAGES, *(part.name for part in plan.parts)]
    reads = [(name,) for name in names[:-1]]
    is_row = [part.reads for part in plan.parts] == reads and plan.outputs == (names[-1],)
    called = {name: "maps" if is_row else name for name in names} | {IMAGES: IMAGES}
    tensors = ", ".join("torch.Tensor" for _ in plan.deployed)
    kind = tensors if len(plan.deployed) == 1 else f"tuple[{tensors}]"
    trained, deployed = plan.needed_for(plan.outputs), plan.needed_for(plan.deployed)
    lines = _computed(plan, called, trained & deployed)
    if plan.outputs != plan.deployed:
        kind = "tuple[torch.Tensor, ...]"
        more = [*_computed(plan, called, trained - deployed), _return(plan.outputs, called)]
        lines += ["if self.is_learning:", *(f"    {line}" for line in more)]
    lines += [*_computed(plan, called, deployed - trained), _return(plan.deployed, called)]
    if is_row:
        lines[-2:] = [f"return {_call(plan.parts[-1], called)}"]
    return [
        f"    def forward(self, images: torch.Tensor) -> {kind}:",
        *(f"        {line}" for line in lines),
    ]


def _computed(plan: Plan, called: Mapping[str, str], names: Container[str]) -> list[str]:
    parts = (part for part in plan.parts if part.name in names)
    return [f"{called[part.name]} = {_call(part, called)}" for part in parts]


def _return(outputs: Iterable[str], called: Mapping[str, str]) -> str:
    return f"return {', '.join(called[name] for name in outputs)}"


def _call(part: Part, called: Mapping[str, str]) -> str:
    return f"self.{part.name}({', '.join(called[name] for name in part.reads)})"


def _part_lines(name: str, layers: tuple[Layer, ...]) -> list[str]:
    start = f"        self.{name} = "
    if len(layers) == 1:
        return _lines(start, layers[0], "", indent=8)
    calls = [line for layer in layers for line in _lines(" " * 12, layer, ",", indent=12)]
    return [f"{start}nn.Sequential(", *calls, "        )"]


def _lines(start: str, value: Any, end: str, indent: int) -> list[str]:
    """A value behind `start`: on one line if it fits, else one line for each of its parts."""
    line = f"{start}{_expression(value)}{end}"
    if len(line) <= WIDTH or not isinstance(value, Layer | list):
        return [line]
    inner = " " * (indent + 4)
    if isinstance(value, Layer) and not any(map(_is_nested, value.arguments.values())):
        arguments = f"{_arguments(value)},"
        wrapped = textwrap.wrap(arguments, WIDTH, initial_indent=inner, subsequent_indent=inner)
        return [f"{start}{value.module}(", *wrapped, " " * indent + ")" + end]
    if isinstance(value, Layer):
        opened, closed = f"{value.module}(", ")"
        parts = [(f"{inner}{name}=", part) for name, part in value.arguments.items()]
    else:
        opened, closed = "[", "]"
        parts = [(inner, part) for part in value]
    lines = [line for before, part in parts for line in _lines(before, part, ",", indent + 4)]
    return [start + opened, *lines, " " * indent + closed + end]


def _is_nested(value: Any) -> bool:
    return isinstance(value, Layer | list)


def _arguments(layer: Layer) -> str:
    return ", ".join(f"{name}={_expression(part)}" for name, part in layer.arguments.items())


def _expression(value: Any) -> str:
    """A value as Python writes it."""
    if isinstance(value, Layer):
        return f"{value.module}({_arguments(value)})"
    if isinstance(value, list):
        return f"[{', '.join(_expression(part) for part in value)}]"
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _example_input(plan: Plan) -> str:
    shape = ", ".join(str(length) for length in plan.input_shape)
    return (
        "def example_input() -> torch.Tensor:\n"
        '    """One image; check.json holds the logits that the network gives for it."""\n'
        f"    count = {' * '.join(str(length) for length in plan.input_shape)}\n"
        f"    return torch.linspace(-1, 1, count).reshape(1, {shape})"
    )
