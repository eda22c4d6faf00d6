"""docs/architecture.md, followed to the letter in a copy of the source tree."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
TREE = ("evonas", "search_spaces", "tests", "docs", "README.md", "pyproject.toml")


@dataclass(frozen=True)
class Part:
    """A part called `novel`, made as its row of the page says.

    `text`: the file that is written, or what is added to the end of one that is there. `lines`:
    what each table of a file gets, as a line, or as an old text and a new one. `imports`: what else
    the tables' files get. `shows` fails if evonas does not pick the part up; `contracts` are the
    test files that have tests of every part of its kind.
    """

    shows: str
    text: str = ""
    lines: Mapping[str, str | tuple[str, str]] = field(default_factory=dict)
    imports: Mapping[str, str] = field(default_factory=dict)
    contracts: tuple[str, ...] = ()


def derived(module: str, base: str, name: str) -> str:
    """A class that is another one under a name of its own."""
    head = f'"""Something new."""\n\nfrom {module} import {base}\n\n\n'
    return f'{head}class {name}({base}):\n    """Something new."""\n'


def again(module: str, name: str, new: str) -> str:
    """What another module has, under a new name."""
    head = '"""Something new."""'
    return f'{head}\n\nfrom {module} import {name} as {new}\n\n__all__ = ["{new}"]\n'


SPACE = (REPOSITORY / "search_spaces" / "nano.yaml").read_text(encoding="utf-8")
NOVEL_LAYER = '''

class Novel(nn.Module):
    """Something new."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        return maps * self.times
'''
PRESET = """
novel:
  title: Something new
  resolution_px: 8
  classes: 10
  network:
    builder: chain
    activation: relu
    layers:
      - {conv: 4, kernel: 3}
    head: [{global_pool: average}, {linear: classes}]
"""
SEARCH = """
import evonas
words = ["space=nano", "data.subset=100", "training.epochs=1", "executor=inline", "display=none",
         "budget.evaluations=2", "objectives=accuracy,macs"]
"""
MODULES = "models/modules.py"
PROXIES = "evaluation/proxies/__init__.py"
MEASURES = "evaluation/measures.py"
BLOCKS = "networks/stages/blocks.py"
OPERATIONS = "networks/cells/operations.py"
RECIPE = "TrainingSettings settings/training.py"
STAGE = '{"operation": "novel", "channels": 8, "kernel": 3, "layers": 1, "stride": 1}'
STAGES = f"""
from evonas.blueprint import Blueprint, plan_network
from evonas.models import count
from evonas.networks import Scale
network = {{"builder": "stages", "activation": "relu", "head": {{"channels": 0}},
           "stem": {{"channels": 8, "kernel": 3, "stride": 1}}, "stages": [{STAGE}]}}
"""

DETECTOR = """
from evonas.blueprint import Blueprint, plan_network
from evonas.models import count
from evonas.networks import Scale
stage = {"operation": "conv", "kernel": 3, "se_ratio": 0, "skip": "none", "layers": 1,
         "channels": 8, "stride": 2}
stem = {"channels": 8, "kernel": 3, "stride": 2}
network = {"builder": "detector", "activation": "relu", "levels": 2, "head": {},
           "backbone": {"stem": stem, "stages": [stage, stage]}, "neck": {"width": 8}}
def counts(**changes):
    design = Blueprint({**network, **changes})
    return count(plan_network(design, Scale("full", 32))).macs
"""

STEP = '''"""Something new."""

from evonas.compression.step import Step


class NovelStep(Step):
    """Something new."""

    def is_on(self, settings):
        return settings.novel.method != "none"
'''

PACKING = '''"""Something new."""

from evonas.compression.packing.pack import packed, packed_bytes

__all__ = ["packed", "packed_bytes"]
'''

OF_PQ = """        "pq": ("block", "codewords"),
    }
    only_with: ClassVar = {"percentile": ("calibration", "percentile")}"""

# Compression that asks for something new.
COMPRESSION = """
from evonas.settings import CompressionSettings
asked = CompressionSettings.model_validate({{'{}': {}}})
assert 'novel' in str(asked.meant())
"""

# A recipe that asks for something new, and what a detector's loss is with it.
LOSS = """
import torch
from evonas.settings import TrainingSettings
from evonas.tasks.detection.detection_loss import detection_loss
recipe = TrainingSettings({}='novel')
priors = torch.tensor([[[4.0, 4, 8, 8], [12, 4, 8, 8]]])
boxes, logits = torch.tensor([[[0.0, 0, 8, 8], [8, 0, 16, 8]]]), torch.zeros(1, 2, 3)
targets = torch.tensor([[[1.0, 0, 0, 8, 8, 1]]])
assert detection_loss((boxes, logits, torch.zeros(1, 2, 4), priors), targets, recipe) > 0
"""
DETECTION_LOSS = "tests/tasks/detection/test_detection_loss.py"

KIND = '"novel": Kind((), (), lambda *given: novel(*given))'

PARTS: Mapping[str, Part] = {
    "search space": Part(
        "from evonas.space import load_space; assert load_space('novel').title",
        SPACE,
        {"SPACES tests/golden/test_golden_spaces.py": '"novel"'},
        contracts=("tests/golden/test_golden_spaces.py", "tests/space/test_shipped_spaces.py"),
    ),
    "block": Part(
        f"{STAGES}\nassert count(plan_network(Blueprint(network), Scale('full', 8))).macs > 0",
        derived("evonas.models.blocks.conv", "Conv", "NovelBlock"),
        {
            f"BLOCKS {MODULES}": "NovelBlock",
            f"BLOCKS {BLOCKS}": '"novel": Block("NovelBlock", ("kernel", "channels"))',
            "docs/networks.md": (
                "| `darknet` |",
                "| `novel` | new | `channels`, `kernel` |\n| `darknet` |",
            ),
        },
        {MODULES: "from evonas.models.blocks.novel import NovelBlock"},
        ("tests/models/test_blocks.py", "tests/test_docs.py"),
    ),
    "operation": Part(
        "from evonas.networks.cells.operations import OPERATIONS; assert 'novel' in OPERATIONS",
        derived("evonas.models.operations.plain_conv", "PlainConv", "NovelOperation"),
        {
            f"OPERATIONS {MODULES}": "NovelOperation",
            f"OPERATIONS {OPERATIONS}": '"novel": Operation("NovelOperation", {"kernel": 3})',
        },
        {MODULES: "from evonas.models.operations.novel import NovelOperation"},
        ("tests/models/test_operations.py",),
    ),
    "word of a chain": Part(
        "from evonas.networks.chain.layer_words import word_of; assert word_of({'novel': 2})",
        NOVEL_LAYER,
        {
            f"LAYERS {MODULES}": "Novel",
            "DEFAULTS networks/chain/layer_words.py": '"novel": {}',
            "SHAPES networks/chain/layer_words.py": '"novel": lambda layer, shape: shape',
            "WORD_VALUES networks/chain/rules.py": '"novel": rule.whole(2, "a factor")',
            "LAYERS networks/chain/plan.py": '"novel": _own("Novel", "novel", "times")',
            "OF_EACH_WORD tests/networks/test_chain_plan.py": '"novel": [{"novel": 2}]',
            "docs/networks.md": ("## `cells`", "`novel`\n\n## `cells`"),
        },
        {MODULES: "from evonas.models.chain_layers import Novel"},
        ("tests/networks/test_chain_plan.py",),
    ),
    "neck": Part(
        f"{DETECTOR}\nassert counts(neck={{'kind': 'novel', 'width': 8}}) > 0",
        "\n\ndef novel(network, levels):\n    return _laterals(network, levels)\n",
        {
            "NECKS networks/detector/necks.py": KIND,
            "docs/networks.md": ("`none` not at all", "`none` not at all, `novel` new"),
        },
    ),
    "word of necks": Part(
        f"{DETECTOR}\nassert counts(neck={{'novel': True, 'width': 8}}) > 0",
        "\n\ndef novel(network, levels):\n    return _attended(network, levels)\n",
        {
            "REFINEMENTS networks/detector/refinements.py": '"novel": lambda *given: novel(*given)',
            "docs/networks.md": ("| `sam` |", "| `novel`, a word | false | new |\n| `sam` |"),
        },
    ),
    "head": Part(
        f"{DETECTOR}\nassert counts(head={{'kind': 'novel'}}) > 0",
        "\n\ndef novel(network, levels):\n    return _anchor_free(network, levels)\n",
        {
            "HEADS networks/detector/heads.py": KIND,
            "HEADS tasks/detection/head_outputs.py": "99: _ANCHOR_FREE",
            "docs/networks.md": (
                "branches of their own; `yolov3`",
                "branches of their own; `novel`; `yolov3`",
            ),
        },
    ),
    "assigner": Part(
        LOSS.format("assigner"),
        "\n\ndef novel(*given):\n    return tal(*given)\n",
        {
            "ASSIGNERS tasks/detection/assigners.py": '"novel": lambda *given: novel(*given)',
            RECIPE: ('"tal", "simota"', '"novel", "tal", "simota"'),
        },
        contracts=("tests/tasks/detection/test_assigners.py", DETECTION_LOSS),
    ),
    "box loss": Part(
        LOSS.format("box_loss"),
        "\n\ndef novel(*given):\n    return giou(*given)\n",
        {
            "OVERLAPS tasks/detection/overlap.py": '"novel": lambda *given: novel(*given)',
            RECIPE: ('"iou", "giou"', '"novel", "iou", "giou"'),
        },
        contracts=("tests/tasks/detection/test_overlap.py", DETECTION_LOSS),
    ),
    "class loss of detectors": Part(
        LOSS.format("class_loss"),
        "\n\ndef novel(*given):\n    return focal(*given)\n",
        {
            "CLASS_LOSSES tasks/detection/class_losses.py": '"novel": lambda *g: novel(*g)',
            RECIPE: ('"bce", "focal"', '"novel", "bce", "focal"'),
        },
        contracts=(DETECTION_LOSS,),
    ),
    "box mixer": Part(
        "from evonas.tasks import foreign_settings\n"
        "assert foreign_settings('classification').keys() >= {'novel_mix', 'novel_mix_alpha'}",
        "\n\ndef novel_mix(*given):\n    return mixup(*given)\n",
        {
            "BOX_MIXERS tasks/detection/variation/box_mixing.py": (
                '"cutmix": cutmix}',
                '"cutmix": cutmix, "novel_mix": lambda *given: novel_mix(*given)}',
            ),
            RECIPE: (
                "    mosaic: Probability = 0.0\n",
                "    mosaic: Probability = 0.0\n    novel_mix: Probability = 0.0\n"
                "    novel_mix_alpha: Positive = 1.0\n",
            ),
            "Detection tasks/detection/__init__.py": (
                '*("mosaic", "close_mosaic",',
                '*("novel_mix", "novel_mix_alpha", "mosaic", "close_mosaic",',
            ),
            "ELSEWHERE tests/training/test_trainer.py": (
                '|= {"mosaic",',
                '|= {"novel_mix", "novel_mix_alpha", "mosaic",',
            ),
            "README.md": ("`mosaic` (0:", "`novel_mix` (0), `novel_mix_alpha` (1), `mosaic` (0:"),
        },
        contracts=(
            "tests/tasks/detection/variation/test_box_mixing.py",
            "tests/training/test_trainer.py",
            "tests/test_readme.py",
        ),
    ),
    "activation": Part(
        "from evonas.networks.names import ACTIVATIONS; assert 'novel' in ACTIVATIONS",
        lines={
            "ACTIVATIONS models/activations.py": '"novel": lambda channels: nn.ReLU()',
            "ACTIVATIONS networks/names.py": '"novel"',
        },
        contracts=("tests/models/test_operations.py",),
    ),
    "norm": Part(
        "from evonas.networks.names import NORMS; assert 'novel' in NORMS",
        lines={
            "NORMS models/norms.py": '"novel": nn.BatchNorm2d',
            "NORMS networks/names.py": '"novel"',
        },
        contracts=("tests/models/test_operations.py",),
    ),
    "initialisation": Part(
        "from evonas.settings import TrainingSettings; TrainingSettings(initialisation='novel')",
        lines={
            "INITIALISATIONS models/initialise.py": '"novel": he_deviation',
            "INITIALISATIONS networks/names.py": '"novel"',
            RECIPE: ('"xavier", "lecun"', '"xavier", "lecun", "novel"'),
        },
    ),
    "grammar": Part(
        "from evonas.networks import tidied; assert tidied({'builder': 'novel'})",
        again("evonas.networks.chain", "CHAIN", "NOVEL"),
        {"GRAMMARS networks/__init__.py": '"novel": NOVEL'},
        {"networks/__init__.py": "from evonas.networks.novel import NOVEL"},
    ),
    "published network": Part(
        "from evonas.presets import preset; assert preset('novel').title",
        PRESET,
        {"COUNTS tests/presets/test_presets.py": '"novel": (166, 6_952)'},
        contracts=("tests/presets/test_presets.py",),
    ),
    "measure": Part(
        f"{SEARCH}\nrun = evonas.search([*words, 'objectives=novel'])\n"
        "assert all(o.measures['novel'] > 0 for _, o in run.trials())",
        "\n\ndef novel(bench):\n    return bench.count.macs\n",
        {f"MEASURES {MEASURES}": '"novel": Measure("", "minimise", "count", lambda b: novel(b))'},
    ),
    "proxy": Part(
        "from evonas.evaluation.measures import MEASURES; assert 'novel_proxy' in MEASURES",
        again("evonas.evaluation.proxies.gradients", "grad_norm", "novel_proxy"),
        {
            f"PROXIES {PROXIES}": '"novel_proxy": novel_proxy',
            "PROXY_NAMES evaluation/measures.py": '"novel_proxy"',
        },
        {PROXIES: "from evonas.evaluation.proxies.novel import novel_proxy"},
        ("tests/evaluation/test_proxies.py",),
    ),
    "data set": Part(
        "from evonas.data.readers import DATA_SETS; assert 'novel' in DATA_SETS",
        again("evonas.data.synthetic", "read_synthetic", "read_novel"),
        {
            "DATA_SETS data/readers.py": '"novel": Reader(read_novel, "new", ("synthetic",))',
            "README.md": (
                "shapes.*` says |\n",
                "shapes.*` says |\n| `novel` | new |\n",
            ),
        },
        {"data/readers.py": "from evonas.data.novel import read_novel"},
        ("tests/data/test_readers.py",),
    ),
    "image heuristic": Part(
        "from evonas.tasks.variation.erasing import ERASERS; assert 'novel' in ERASERS",
        "\n\ndef novel(*given):\n    return rectangle(*given)\n",
        {
            "ERASERS tasks/variation/erasing.py": '"novel": lambda *given: novel(*given)',
            RECIPE: ("    cutout: Part = 0.0\n", "    cutout: Part = 0.0\n    novel: Part = 0.0\n"),
            "CHANGES tests/training/test_trainer.py": '{"novel": 0.4}',
            "README.md": ("`cutout` (", "`novel` (0), `cutout` ("),
        },
        contracts=("tests/training/test_trainer.py", "tests/test_readme.py"),
    ),
    "optimiser": Part(
        "from evonas.settings import TrainingSettings; TrainingSettings(optimizer='novel')",
        lines={
            "OPTIMIZERS training/optimizers.py": '"novel": lambda g, _: SGD(g, momentum=0.5)',
            "USUAL_RATE training/rates.py": '"novel": 0.1',
            RECIPE: ('"muon",\n', '"muon",\n        "novel",\n'),
        },
        contracts=("tests/training/test_optimizers.py",),
    ),
    "batch norm": Part(
        "from evonas.settings import TrainingSettings\n"
        "from evonas.training.batch_norm import accumulated\n"
        "from torch import nn\n"
        "with accumulated(norm := nn.BatchNorm2d(3), TrainingSettings(batch_norm='novel')):\n"
        "    assert type(norm).__name__ == 'Novel'",
        "\n\nclass Novel(CrossMiniBatchNorm):\n    pass\n",
        {
            "BATCH_NORMS training/batch_norm.py": '"novel": type("Novel", (SyncedBatchNorm,), {})',
            RECIPE: ('"cross_mini_batch",', '"cross_mini_batch", "novel",'),
        },
    ),
    "step of compression": Part(
        "from evonas.compression.compress import made_after\n"
        "from evonas.settings import CompressionSettings\n"
        "assert made_after(CompressionSettings(novel={'method': 'depth'})) == ['novel']",
        STEP,
        {
            "STEPS compression/__init__.py": '"novel": NovelStep()',
            "STEP_SETTINGS settings/compression.py": '"novel": PruningSettings',
            "CompressionSettings settings/compression.py": (
                "    quantisation: QuantisationSettings = QuantisationSettings()\n",
                "    quantisation: QuantisationSettings = QuantisationSettings()\n"
                "    novel: PruningSettings = PruningSettings()\n",
            ),
            "README.md": (
                "| `fidelity.rungs`, ",
                "| `compression.novel.method`, `.ratio`, `.ratios`, `.importance`, `.rounds`, "
                "`.epochs` | `none`, 0.3, none, `l2`, 1, 0.2 | new |\n| `fidelity.rungs`, ",
            ),
        },
        {"compression/__init__.py": "from evonas.compression.novel import NovelStep"},
        ("tests/settings/test_settings_compression.py", "tests/test_readme.py"),
    ),
    "pruning method": Part(
        COMPRESSION.format("pruning", {"method": "novel"}),
        derived("evonas.compression.pruning.channels", "Channels", "NovelMethod"),
        {
            "METHODS compression/pruning/__init__.py": '"novel": NovelMethod()',
            "PruningSettings settings/compression.py": (
                '    }\n    method: Literal["none", "channels",',
                '        "novel": ("ratio", "ratios", "importance", "rounds", "epochs"),\n'
                '    }\n    method: Literal["none", "novel", "channels",',
            ),
            "CHANGES tests/compression/pruning/test_pruning.py": '"novel": 0.4',
            "docs/compression.md": (
                "| `pruning.method=depth` |",
                "| `pruning.method=novel` | new | new |\n| `pruning.method=depth` |",
            ),
        },
        {
            "compression/pruning/__init__.py": (
                "from evonas.compression.pruning.novel import NovelMethod"
            )
        },
        ("tests/compression/pruning/test_pruning.py", "tests/test_docs.py"),
    ),
    "importance": Part(
        COMPRESSION.format("pruning", {"method": "channels", "importance": "novel"}),
        "\n\ndef novel(*given):\n    return l2(*given)\n",
        {
            "IMPORTANCE compression/pruning/importance.py": '"novel": lambda *given: novel(*given)',
            "PruningSettings settings/compression.py": ('"l2", "l1",', '"l2", "l1", "novel",'),
        },
        contracts=("tests/compression/pruning/test_pruning.py",),
    ),
    "quantisation method": Part(
        COMPRESSION.format("quantisation", {"method": "novel"}),
        PACKING,
        {
            "METHODS compression/quantisation.py": '"novel": Method(packed_bytes, packed)',
            "QuantisationSettings settings/compression.py": (
                f'{OF_PQ}\n    method: Literal["none",',
                f'        "novel": ("bits",),\n{OF_PQ}\n    method: Literal["none", "novel",',
            ),
            "docs/compression.md": (
                "| `quantisation.method=pq` |",
                "| `quantisation.method=novel` | new | new |\n| `quantisation.method=pq` |",
            ),
        },
        {"compression/quantisation.py": "from evonas.compression.packing.novel import packed"},
        ("tests/compression/test_quantisation.py", "tests/test_docs.py"),
    ),
    "evolver": Part(
        f"{SEARCH}\nassert evonas.search([*words, 'objectives=macs', 'evolver=novel']).front",
        derived("evonas.evolution.random_evolver", "RandomEvolver", "NovelEvolver"),
        {"EVOLVERS evolution/__init__.py": '"novel": NovelEvolver'},
        {"evolution/__init__.py": "from evonas.evolution.novel_evolver import NovelEvolver"},
        ("tests/evolution/test_evolvers.py",),
    ),
    "form of an exported model": Part(
        "from evonas.exporters.forms import FORMS; assert 'novel' in FORMS",
        again("evonas.exporters.onnx", "onnx_model", "novel"),
        {"FORMS exporters/forms.py": '"novel": Form("novel.onnx", novel, onnx_agreement)'},
        {"exporters/forms.py": "from evonas.exporters.novel import novel"},
        ("tests/contracts/test_forms.py",),
    ),
    "evaluator": Part(
        "import evonas\n"
        "words = ['space=nano', 'executor=inline', 'display=none', 'budget.evaluations=2']\n"
        "assert evonas.search([*words, 'evaluator=novel', 'objectives=v:min']).front",
        derived("evonas.evaluation.python_evaluator", "PythonEvaluator", "NovelEvaluator"),
        {
            "EVALUATORS evaluation/evaluators.py": '"novel": NovelEvaluator',
            "_evaluator driver/preparation.py": (
                "    if checked.lookup is not None:\n",
                '    if settings.evaluator.name == "novel":\n'
                '        return NovelEvaluator(settings, objectives, lambda design: {"v": 1.0})\n'
                "    if checked.lookup is not None:\n",
            ),
        },
        dict.fromkeys(
            ("evaluation/evaluators.py", "driver/preparation.py"),
            "from evonas.evaluation.novel_evaluator import NovelEvaluator",
        ),
    ),
    "command": Part(
        "from typer.testing import CliRunner\n"
        "from evonas.cli.app import app\n"
        "assert CliRunner().invoke(app, ['novel']).stdout == 'new\\n'",
        '\n\ndef novel() -> None:\n    """Something new."""\n    print("new")\n',
        {"COMMANDS cli/app.py": "novel"},
        {"cli/app.py": "from evonas.cli.of_machine import novel"},
    ),
    "executor": Part(
        f"{SEARCH}\nassert evonas.search([*words, 'objectives=macs', 'executor=novel']).front",
        derived("evonas.executors.inline_executor", "InlineExecutor", "NovelExecutor"),
        {"EXECUTORS executors/__init__.py": '"novel": NovelExecutor'},
        {"executors/__init__.py": "from evonas.executors.novel_executor import NovelExecutor"},
    ),
    "runtime of the latency clock": Part(
        "from evonas.settings import LatencySettings; LatencySettings(runtime='novel')",
        lines={
            "RUNTIMES hardware/runtimes.py": '"novel": TorchRuntime("cpu")',
            "LatencySettings settings/run_settings.py": ('"tensorrt"\n', '"tensorrt", "novel"\n'),
        },
        contracts=("tests/hardware/test_runtimes.py",),
    ),
}


FOLLOWED_ELSEWHERE: Mapping[str, str] = {
    "task": "tasks/test_new_task.py",
    "setting": "test_readme.py",
}


def rows() -> dict[str, tuple[str, str]]:
    """What is new, to the file that is written and to the lines that are added."""
    table = PAGE.partition("| new | file | line in |\n")[2].partition("\n\n")[0]
    found = re.findall(r"^\| ([^|]+) \|([^|]*)\| ([^|]+) \|$", table, re.MULTILINE)
    return {
        new.split(":")[0]: (file, lines) for new, file, lines in found if not new.startswith("-")
    }


ROWS = rows()


def in_tree(path: str) -> str:
    """A path of the page, from the root of the tree."""
    return path if path.startswith(TREE) else f"evonas/{path}"


def file_of(row: str) -> str:
    """The file in which a part called novel is written; nothing if its lines are all."""
    written = re.search(r"`([\w/.]+)`", ROWS[row][0])
    path = in_tree(written.group(1).replace("NAME", "novel")) if written else ""
    return f"{path}novel.yaml" if path.endswith("/") else path


def places_of(row: str) -> set[str]:
    """The tables of a row: `A`, `B` in `x.py` and `y.py` are four."""
    places, tables, was_file = set(), list[str](), False
    for word in re.findall(r"`([\w/.]+)`", ROWS[row][1]):
        is_file = "." in word
        if not is_file:
            tables = [word] if was_file else [*tables, word]
        elif word.endswith(".md"):
            places.add(word)
        else:
            places |= {f"{table} {word}" for table in tables}
        was_file = is_file
    return places


def with_line(source: bytes, table: str, line: str) -> bytes:
    """The source with one more line in a table, whatever its brackets are."""
    (end,) = [
        (node.value.end_lineno or 0, node.value.end_col_offset or 0)
        for node in ast.parse(source).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        and node.value is not None
        and table in (ast.unparse(each) for each in targets(node))
    ]
    lines = source.splitlines(keepends=True)
    bracket = sum(map(len, lines[: end[0] - 1])) + end[1] - 1
    before = source[:bracket].rstrip()
    comma = b"" if before.endswith((b",", b"(", b"{", b"[")) else b","
    return before + comma + b"\n    " + line.encode() + b",\n" + source[bracket:]


def targets(node: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return node.targets if isinstance(node, ast.Assign) else [node.target]


def with_import(source: bytes, statement: str) -> bytes:
    """The source with an import behind the others."""
    last = max(
        node.end_lineno or 0
        for node in ast.parse(source).body
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    lines = source.splitlines(keepends=True)
    return b"".join([*lines[:last], statement.encode() + b"\n", *lines[last:]])


def make(row: str, tree: Path) -> None:
    """Writes the row's part into the tree."""
    part = PARTS[row]
    if part.text:
        file = tree / file_of(row)
        file.parent.mkdir(exist_ok=True)
        before = file.read_text(encoding="utf-8") if file.exists() else ""
        file.write_text(before + part.text, encoding="utf-8")
    for key, line in part.lines.items():
        table, _, place = key.rpartition(" ")
        file = tree / in_tree(place)
        source = file.read_bytes()
        if isinstance(line, tuple):
            old, new = (text.encode() for text in line)
            assert source.count(old) == 1, f"{place}: {line[0]}"
            file.write_bytes(source.replace(old, new))
        else:
            file.write_bytes(with_line(source, table, line))
    for place, statement in part.imports.items():
        file = tree / in_tree(place)
        file.write_bytes(with_import(file.read_bytes(), statement))


def name_of_test(row: str) -> str:
    return f"test_novel_{row.replace(' ', '_')}"


def copy_of_the_tree(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name in TREE:
        source = REPOSITORY / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What became of the tests of all parts: `PASSED` and its like by the test's name."""
    tree = copy_of_the_tree(tmp_path_factory.mktemp("tree"))
    for row in PARTS:
        make(row, tree)
    shown = [
        f"def {name_of_test(row)}():\n{indent(part.shows, '    ')}" for row, part in PARTS.items()
    ]
    (tree / "tests" / "test_novel.py").write_text("\n\n".join(shown))
    contracts = sorted({file for part in PARTS.values() for file in part.contracts})
    words = ["-q", "-rA", "-m", "", "-p", "no:cacheprovider"]
    words += ["-k", "novel or listed or every_set"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words, "tests/test_novel.py", *contracts],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "EVONAS_REWRITE_GOLDEN": "1"},
        capture_output=True,
        text=True,
    )
    found = re.findall(r"^(PASSED|FAILED|ERROR) (tests/\S+)", done.stdout, re.MULTILINE)
    assert found, done.stdout + done.stderr
    return {test: became for became, test in found}


@pytest.mark.slow
@pytest.mark.parametrize("row", PARTS)
def test_what_a_row_says_is_all_that_a_new_part_takes(row: str, results: dict[str, str]) -> None:
    part = PARTS[row]
    assert places_of(row) == part.lines.keys()
    assert results[f"tests/test_novel.py::{name_of_test(row)}"] == "PASSED"
    for contract in part.contracts:
        became = {test: each for test, each in results.items() if test.startswith(contract)}
        assert became, f"{contract} has no test of it"
        assert set(became.values()) == {"PASSED"}, became


def test_every_row_is_followed() -> None:
    assert PARTS.keys() | FOLLOWED_ELSEWHERE.keys() == ROWS.keys()
    for row, file in FOLLOWED_ELSEWHERE.items():
        assert (REPOSITORY / "tests" / file).exists(), row


def test_every_file_and_table_of_the_page_is_there() -> None:
    for row in ROWS:
        for table, _, place in (key.rpartition(" ") for key in places_of(row)):
            text = (REPOSITORY / in_tree(place)).read_text(encoding="utf-8")
            assert re.search(rf"^((class|def) )?{table}\b", text, re.MULTILINE), (row, table, place)
    before_the_example = PAGE.partition("## An operation")[0]
    for path in re.findall(
        r"`((?:evonas|docs|tests|experiments|search_spaces)/[\w/.]+)`", before_the_example
    ):
        assert (REPOSITORY / path).exists() or "NAME" in path, path


# The example at the end of the page.

RUN = """
import json, sys
from evonas.cli.app import app
for words in json.loads(sys.argv[1]):
    app(words, prog_name="evonas", standalone_mode=False)
    print(end="\\0", flush=True)
"""


def block_after(words: str) -> str:
    found = re.search(rf"`{re.escape(words)}`.*?```\w+\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None, f"docs/architecture.md shows nothing for {words}"
    return found.group(1)


def results_of(tree: Path, *commands: list[str]) -> list[dict[str, Any]]:
    """What the commands print, all of one process that imports this tree."""
    call = [sys.executable, "-c", RUN, json.dumps(commands)]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    result = subprocess.run(call, capture_output=True, text=True, env=environment, timeout=300)
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.split("\0")[:-1]]


@pytest.mark.slow
def test_the_example_works(tmp_path: Path) -> None:
    tree = copy_of_the_tree(tmp_path / "tree")
    (tree / "evonas/models/operations/blur.py").write_text(
        block_after("evonas/models/operations/blur.py")
    )
    modules = tree / "evonas/models/modules.py"
    imported, line = block_after("evonas/models/modules.py").strip("\n").split("\n\n")
    table = modules.read_text().replace("OPERATIONS = (\n", f"OPERATIONS = (\n{line}\n", 1)
    modules.write_text(f"{imported}\n{table}")
    operations = tree / "evonas/networks/cells/operations.py"
    body = operations.read_text().rstrip()
    assert body.endswith("}")
    line = block_after("evonas/networks/cells/operations.py").strip("\n")
    operations.write_text(f"{body[:-1]}{line}\n}}\n")
    (tree / "search_spaces/blur_cells.yaml").write_text(
        block_after("search_spaces/blur_cells.yaml")
    )

    words = ["space=blur_cells", "data.subset=100", "training.epochs=1", "executor=inline"]
    words += ["display=none", "run.name=blurred", "budget.evaluations=3", "latency.spread=1"]
    space, found, _ = results_of(
        tree,
        ["spaces", "blur_cells", "--json"],
        ["search", *words, "--json"],
        ["export", "blurred", "--to", "model", "--pick", "0", "--json"],
    )
    assert space["size"] == 6**4
    assert found["counts"]["complete"] == 3
    assert "blur_3x3" in Path("model/blueprint.json").read_text()
    assert "class Blur" in Path("model/model.py").read_text()
