"""Commands on model folders say in one line what is wrong, and leave the folder as it was."""

from pathlib import Path

from conftest import typed
from small_model import made, model

from evonas.exporters.file_names import CHECK

__all__ = ["made", "model"]  # fixtures


def test_a_size_that_changes_nothing_is_a_mistake(model: Path) -> None:
    before = (model / CHECK).read_bytes()
    refused = typed("retrain", str(model), "full.filters=32", "data.subset=100")
    assert refused.returncode == 2
    assert refused.stderr == (
        "full.filters changes nothing in this network, whose builder is stages. Leave it out.\n"
    )
    assert (model / CHECK).read_bytes() == before
