"""What holds for labelled images of all formats."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labelled_sets import read, write_coco, write_voc, write_yolo

from evonas.data.dataset import Source

WRITERS: dict[str, Callable[[Path], Path]] = {
    "yolo": write_yolo,
    "coco": write_coco,
    "voc": write_voc,
}


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Source]:
    return {
        name: read(write(tmp_path_factory.mktemp("sets") / name), 80)
        for name, write in WRITERS.items()
    }


@pytest.mark.parametrize("name", WRITERS)
def test_all_formats_give_the_same(name: str, sources: dict[str, Source]) -> None:
    source, other = sources[name], sources["voc"]
    assert source.classes == ("cat", "dog")
    assert np.array_equal(source.development.images, other.development.images)
    assert np.allclose(source.development.targets, other.development.targets, atol=1e-4)
    assert np.array_equal(source.development.strata, other.development.strata)
    assert source.faults == ()
