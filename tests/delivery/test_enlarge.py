"""A design at another size than its search or its folder has it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import QUICK, mistakes, problems_of
from small_model import WORDS, made, model

from evonas import export, load_run, retrain, search
from evonas.blueprint import plan_network
from evonas.delivery.enlarge import check_size, export_size
from evonas.delivery.final_training import CHECKPOINT
from evonas.errors import ExportError
from evonas.exporters.file_names import CARD, CHECK, FACTS, RECIPE
from evonas.key import checksum
from evonas.model_folder.model_folder import CHECKSUMS, COUNTS, ModelFolder
from evonas.models import count
from evonas.presets import preset
from evonas.reports.epochs import Epochs
from evonas.settings import FullSettings
from evonas.space import load_space
from evonas.space.run_scales import resized

__all__ = ["made", "model"]  # fixtures

LARGE = ["full.filters=168", "full.repeats=6", "full.resolution_px=331"]
LARGE += ["full.stem_channels=96", "full.far_input=true"]
CIFAR = ["full.filters=32", "full.repeats=6", "full.resolution_px=32", "full.stem=cifar"]
CIFAR += ["full.stem_channels=0"]


@pytest.mark.parametrize(("name", "words"), [("nasnet_a_large", LARGE), ("nasnet_a_cifar", CIFAR)])
def test_a_cell_becomes_as_large_as_published_networks_of_it(name: str, words: list[str]) -> None:
    published, space = preset(name), load_space("nasnet_cells")
    design = space.decode(space.encode(published.blueprint))
    found = replace(space.scales["full"], classes=published.scale.classes)
    size = resized(found, export_size(FullSettings(), words))
    counted = count(plan_network(design, size))
    assert counted == count(plan_network(published.blueprint, published.scale))


@pytest.mark.slow
def test_a_cell_is_enlarged_at_export_and_again_in_a_retraining(working_folder: Path) -> None:
    words = [*QUICK[1:], "space=nasnet_cells", "executor=inline", "run.name=cells"]
    start = ["evolver.start=nasnet_a_cifar", "budget.evaluations=1", "full.resolution_px=64"]
    search([*words, *start, "objectives=accuracy,parameters"])
    run = load_run(Path("runs/cells"))
    size = ["full.filters=8", "full.repeats=1", "full.stem=cifar", "full.resolution_px=16"]
    exported = export(run, "model", settings=size)
    assert exported["enlarged"] == {
        **{"resolution_px": 16, "filters": 8, "repeats": [1, 1, 1]},
        "stem": "cifar",
    }
    folder = ModelFolder.open(Path("model"), ())
    assert folder.recipe.origin.enlarged == exported["enlarged"]
    assert exported["counts"] == folder.checks[COUNTS]
    assert exported["counts"]["parameters"] < exported["measures"]["parameters"]
    result = retrain("model", ["full.filters=12", "full.repeats=2", *WORDS, "training.epochs=1"])
    assert result["epochs"] == 1
    folder = ModelFolder.open(Path("model"), ())
    assert folder.recipe.origin.enlarged["filters"] == 12
    assert folder.checks[COUNTS]["parameters"] > 2 * exported["counts"]["parameters"]
    design = run.records.trials[0].blueprint
    scale = replace(run.scales[1], **{**exported["enlarged"], "filters": 12, "repeats": (2, 2, 2)})
    assert folder.checks[COUNTS]["macs"] == count(plan_network(design, scale)).macs
    card = Path("model", CARD).read_text()
    assert "enlarged: resolution_px 16, filters 12, repeats 2, stem cifar" in card
    assert "full, in the search's size" in card


def test_a_folder_is_enlarged_with_fresh_weights_and_its_card_says_so(model: Path) -> None:
    before = ModelFolder.open(model, ()).checks[COUNTS]
    words = [*WORDS, "training.epochs=1", "full.width=1", "full.resolution_px=12"]
    retrain(model, words)
    folder = ModelFolder.open(model, ())
    assert folder.recipe.input.resolution_px == 12
    assert folder.checks[COUNTS]["parameters"] > 2 * before["parameters"]
    assert folder.source().network.state_dict().keys() == folder.built().state_dict().keys()
    assert "enlarged: resolution_px 12, width 1" in (model / CARD).read_text()
    assert "enlarged" in (model / RECIPE).read_text()


class Stopped(Epochs):
    """Ends a training behind its first epoch, once, and keeps what was said."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[str] = []
        self.is_to_stop = True

    def finished(self, done: int, loss: float, score: str = "") -> None:
        if self.is_to_stop:
            self.is_to_stop = False
            raise KeyboardInterrupt

    def line(self, text: str) -> None:
        self.told.append(text)


def test_an_enlarging_that_was_stopped_goes_on_by_the_same_words_alone(model: Path) -> None:
    display, words = Stopped(), [*WORDS, "training.epochs=2", "full.width=1"]
    before = (model / CHECK).read_bytes()
    with pytest.raises(KeyboardInterrupt):
        retrain(model, words, display=display)
    assert (model / CHECK).read_bytes() == before
    kept = (model / CHECKPOINT).read_bytes()
    display.told.clear()
    assert retrain(model, words, display=display)["epochs"] == 2
    assert "Going on after epoch 1." in display.told
    (model / CHECKPOINT).write_bytes(kept)
    display.told.clear()
    retrain(model, [*words[:-1], "full.width=2"], display=display)
    assert any("is not of this training" in line for line in display.told)


@mistakes("""
full.filters=32
    full.filters changes nothing in this network, whose builder is stages. Leave it out.
full.width=64 full.phi=9
    The network would have a width of 150.909, more than 64. Write less.
full.epochs=9
    full.epochs=9: this is no size. Sizes are full.resolution_px, full.width, full.filters,
    full.repeats, full.stem, full.stem_channels, full.far_input, full.phi.
full.width=wide
    full.width=wide: input should be a valid number, unable to parse string as a number, got 'wide'.
""")
def test_a_size_that_cannot_be_is_refused(model: Path, wrong: str, told: str) -> None:
    before = (model / CHECK).read_bytes()
    assert problems_of(retrain, model, [*WORDS, *wrong.split()]) == [told]
    assert (model / CHECK).read_bytes() == before


def test_a_folder_that_says_no_size_is_not_enlarged(model: Path) -> None:
    facts = json.loads((model / FACTS).read_text())
    del facts["size"]
    (model / FACTS).write_text(json.dumps(facts))
    checks = json.loads((model / CHECK).read_text())
    checks[CHECKSUMS][FACTS] = checksum((model / FACTS).read_bytes())
    (model / CHECK).write_text(json.dumps(checks))
    with pytest.raises(ExportError, match="does not say at which size"):
        retrain(model, [*WORDS, "full.width=1"])


def test_what_a_run_says_of_sizes_holds_unless_words_say_otherwise() -> None:
    own = FullSettings(width=0.5, resolution_px=96)
    assert export_size(own, ["full.width=2"]) == FullSettings(width=2, resolution_px=96)
    assert problems_of(export_size, own, ["run.seed=1"]) == [
        "run.seed=1: an export takes full.* only."
    ]


def test_a_word_that_repeats_the_size_is_no_mistake() -> None:
    space = load_space("nano")
    design = space.decode([1.0] * len(space.genes))
    full = FullSettings(width=space.scales["full"].width)
    check_size(design, space.scales["full"], resized(space.scales["full"], full), full)
