"""A design of a run that compresses, as a model folder: as it was measured, or to be retrained."""

from pathlib import Path

import pytest
from conftest import QUICK, typed
from plain_steps import plain_steps

from evonas import export, load_run, search
from evonas.exporters.file_names import CARD, ONNX_INT8, RECIPE
from evonas.model_folder.model_folder import ModelFolder
from evonas.runs import Run

__all__ = ["plain_steps"]  # fixtures

STEPS = ["compression.pruning.method=channels", "compression.quantisation.method=int8"]


@pytest.fixture
def run(plain_steps: None, working_folder: Path) -> Run:
    words = [*QUICK, *STEPS, "executor=inline", "budget.evaluations=2", "run.name=small"]
    search([*words, "objectives=accuracy,macs"])
    return load_run(Path("runs/small"))


@pytest.mark.slow
def test_what_was_measured_is_what_is_exported(run: Run) -> None:
    for number in (0, 1):
        result = export(run, f"model-{number}", str(number), scale="proxy")
        forms = result["compression"]["forms"]
        assert [form["form"] for form in forms] == ["fp32", "pruned", "int8"]
        assert forms[-1]["accuracy"] == result["measures"]["accuracy"]
        assert result["compression"]["images"].endswith("validation images")
        assert Path(f"model-{number}", ONNX_INT8).is_file()
    shown = typed("export", "small", "--to", "again", "--scale", "proxy", "--pick", "0").stdout
    assert "int8" in shown
    further = typed("compress", "again", STEPS[0])
    assert further.returncode == 0, further.stderr


@pytest.mark.slow
def test_at_full_scale_the_recipe_says_what_a_retraining_will_do(run: Run) -> None:
    result = export(run, "model", "0")
    assert "compression" not in result
    recipe = ModelFolder.open(Path("model"), ()).recipe
    assert {*recipe.compression.meant()} == {"pruning", "quantisation"}
    card = " ".join(Path("model", CARD).read_text().split())
    assert "`pruning.method=channels`, `quantisation.method=int8`" in card
    assert not Path("model", ONNX_INT8).exists()
    text = Path("model", RECIPE).read_text()
    assert "distillation" not in text
