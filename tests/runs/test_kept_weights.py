"""Weights that a run keeps are those that were trained, or are told to be damaged."""

from pathlib import Path

import pytest

from evonas.delivery.export import export
from evonas.errors import ExportError
from evonas.evaluation.segments import weights_in
from evonas.runs import load_run
from evonas.runs.run_folder import weights_file


@pytest.mark.slow
def test_damaged_weights_are_not_exported_and_nothing_is_inherited_from_them(
    run_copy: Path,
) -> None:
    run = load_run(run_copy)
    number = run.records.trained_by(run.front[0][0].number)
    file, noted = weights_file(run_copy, number), run.records.outcomes[number].notes.weights_sha256
    assert noted is not None
    assert weights_in(file, noted) is not None
    whole = file.read_bytes()
    for place in (0, 20, len(whole) // 2, len(whole) - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        file.write_bytes(damaged)
        assert weights_in(file, noted) is None
        with pytest.raises(ExportError, match=r"weights.safetensors .*Nothing was exported"):
            export(run, Path("model"), str(run.front[0][0].number), scale="proxy")
        assert not Path("model").exists()
