"""Training settings that a search cannot follow are told before it has a folder."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from conftest import QUICK, REPOSITORY, problems_of

from evonas.driver import search
from evonas.driver.preparation import check
from evonas.models import build
from evonas.settings import Words
from evonas.space import load_space


def problems(*words: str) -> list[str]:
    told = problems_of(search, [*QUICK, "executor=inline", *words])
    assert not Path("runs").exists()
    return told


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["training.weights=none.safetensors"], "training.weights: there is no file "),
        (["training.freeze=99"], "training.freeze=99: the network has "),
        (["training.cuda_graphs=true"], "training.cuda_graphs=true has no effect where trials"),
        (["training.batch_norm=synced"], "training.batch_norm=synced takes statistics over"),
        (["training.flip_test=true"], "training.flip_test=true: scores of a search are of one"),
        (["filter.proxy=synflo"], 'filter.proxy: There is no score called "synflo".'),
        (["filter.share=0.3"], "filter.share has no effect without a score."),
        (["latency.predictor=true"], "latency.predictor=true has no effect without a limit."),
        (["training.amp=maybe"], "training.amp=maybe"),
    ],
)
def test_it_is_told_before_a_folder_is_made(words: list[str], message: str) -> None:
    assert any(problem.startswith(message) for problem in problems(*words))


@pytest.mark.parametrize("key", ["compile", "cuda_graphs"])
@pytest.mark.parametrize("value", ["true", "{choice: [false, true]}"])
def test_how_a_training_runs_is_no_part_of_a_design(
    key: str, value: str, working_folder: Path
) -> None:
    nano = (REPOSITORY / "search_spaces" / "nano.yaml").read_text()
    line = len(nano.splitlines()) + 2
    Path("mine.yaml").write_text(f"{nano}training:\n  {key}: {value}\n")
    (problem,) = problems_of(check, Words(["space=./mine.yaml", *QUICK[1:]]))
    assert problem.startswith(f"mine.yaml, training.{key} (line {line}): how a training runs is a")
    assert problem.endswith(f"a search takes it as training.{key}=VALUE.")


def test_damaged_and_unfit_weights_are_told(working_folder: Path) -> None:
    (working_folder / "damaged.safetensors").write_bytes(b"nothing")
    (problem,) = problems("training.weights=damaged.safetensors")
    assert "cannot be read as safetensors" in problem
    safetensors.torch.save_file({"other.weight": torch.ones(3, 3)}, "unfit.safetensors")
    (problem,) = problems("training.weights=unfit.safetensors")
    assert "nothing in " in problem
    assert "other.weight (3, 3)" in problem


def test_weights_of_a_design_of_the_space_are_taken(working_folder: Path) -> None:
    space = load_space("nano")
    design = space.decode([gene.default_number for gene in space.genes])
    network = build(design, space.scales["proxy"], seed=0)
    state = {name: tensor for name, tensor in network.state_dict().items() if tensor.dim()}
    safetensors.torch.save_file(state, "fit.safetensors")
    words = [*QUICK, "training.weights=fit.safetensors", "training.freeze=1"]
    assert check(Words(words)).settings.training.freeze == 1
    run = search([*words, "executor=inline", "display=none", "budget.evaluations=1"])
    assert run.records.counts()["complete"] == 1


def test_a_log_is_written_into_the_folder_of_its_trial_and_changes_no_training(
    working_folder: Path,
) -> None:
    words = [*QUICK, "executor=inline", "display=none", "budget.evaluations=1"]
    words += ["training.epochs=2", "objectives=accuracy,macs"]
    logged = search([*words, "training.log=csv", "run.name=logged"])
    lines = (logged.folder / "trials" / "0" / "training.csv").read_text().splitlines()
    assert len(lines) == 3
    plain = search([*words, "run.name=plain"])
    assert plain.pair(0)[1].measures == logged.pair(0)[1].measures
    assert not (plain.folder / "trials" / "0" / "training.csv").exists()
