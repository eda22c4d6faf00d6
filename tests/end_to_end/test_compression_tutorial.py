"""What the page on compression says is what happens, from a search to a model of 8 bits."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from conftest import REPOSITORY, typed
from PIL import Image

from evonas.data.digits import read_digits
from evonas.settings import DataSettings

PAGE = (REPOSITORY / "docs" / "compression.md").read_text(encoding="utf-8")
# What is added to the commands of the page, so that they take seconds.
QUICK = ["executor=inline", "data.subset=300", "training.epochs=2", "full.resolution_px=32"]
SMALLER: Mapping[str, list[str]] = {
    "search": [*QUICK, "latency.spread=1", "budget.evaluations=3", "display=plain"],
    # The same design whatever its latency is, pruned by hand alone.
    "export": ["--pick", "0"],
    "retrain": ["training.epochs=3", "compression.pruning.method=none"],
    "latency": ["latency.limit_s=0.2"],
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.mark.slow
def test_the_page_leads_from_a_search_to_a_model_of_8_bits(working_folder: Path) -> None:
    digits = read_digits(DataSettings(), 16).development
    Image.fromarray(digits.images[0][0]).save("digit.png")
    for line in blocks("sh")[0].splitlines():
        program, command, *words = shlex.split(line)
        assert program == "evonas"
        result = typed(command, *words, *SMALLER.get(command, ()))
        print(f"$ {line}\n{result.stdout}{result.stderr}")
        assert result.returncode == 0, result.stderr

    said = {name: json.loads(Path(name, "check.json").read_text()) for name in ("model", "both")}
    forms = {name: checks["compression"]["forms"] for name, checks in said.items()}
    assert [form["form"] for form in forms["model"]] == ["fp32", "int8"]
    assert [form["form"] for form in forms["both"]] == ["fp32", "int8"]
    assert forms["both"][0]["macs"] < forms["model"][0]["macs"]
    for name, (one, other) in forms.items():
        assert one["size_mib"] > 2 * other["size_mib"], name
        assert said[name]["compression"]["within_a_quantum"] > 0.9
    assert {*json.loads(Path("both", "search.json").read_text())["compressed"]} >= {
        "pruning",
        "quantisation",
    }

    call = [sys.executable, "-c", "\n".join(blocks("python"))]
    done = subprocess.run(call, cwd="both", capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in "0123456789"


def test_each_method_stands_in_the_table() -> None:
    from evonas.settings.compression import STEP_SETTINGS

    for step in ("pruning", "quantisation"):
        for method in STEP_SETTINGS[step].takes:
            assert f"| `{step}.method={method}` |" in PAGE, method
    for step in ("quant_noise", "distillation"):
        assert f"| `{step}` |" in PAGE
