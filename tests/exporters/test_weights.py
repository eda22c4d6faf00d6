"""Weights that runs kept: read if they are the same bytes, under the names of today."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from evonas.errors import ExportError
from evonas.exporters.weights import read_weights
from evonas.key import checksum


def test_weights_of_cells_that_earlier_versions_kept_are_read_under_their_names(
    tmp_path: Path,
) -> None:
    names = {
        "stem.0.weight": "stem.0.weight",
        "cells.cells.0.nodes.0.weight": "cell_1.nodes.0.weight",
        "network.cells.cells.11.inputs.0.bias": "network.cell_12.inputs.0.bias",
        "head.classifier.0.weight": "head.classifier.0.weight",
    }
    content = save({old: torch.full((2,), float(n)) for n, old in enumerate(names)})
    (tmp_path / "weights").write_bytes(content)
    read = read_weights(tmp_path / "weights", checksum(content))
    for number, name in enumerate(names.values()):
        assert read[name].tolist() == [number, number]
    assert len(read) == len(names)


def test_other_bytes_than_were_written_are_refused(tmp_path: Path) -> None:
    content = save({"a": torch.zeros(2)})
    (tmp_path / "weights").write_bytes(content)
    with pytest.raises(ExportError, match="is damaged"):
        read_weights(tmp_path / "weights", checksum(content + b"0"))
