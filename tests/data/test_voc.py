import tarfile
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from labelled_sets import faults, read, write_lists, write_voc

BCCD = REPOSITORY.parent / "shared" / "data" / "bccd-voc.tar.gz"


def test_boxes_are_in_px_of_the_letterboxed_square(tmp_path: Path) -> None:
    source = read(write_voc(tmp_path, 12), 80)
    assert source.classes == ("cat", "dog")
    assert source.development.images.shape == (12, 1, 80, 80)
    assert source.development.targets.dtype == np.float32
    # Twice the size, below a bar of 10 px.
    assert source.development.targets[:3].tolist() == [
        [[0, 8, 24, 28, 44], [-1, 0, 0, 0, 0]],
        [[1, 20, 30, 60, 50], [0, 0, 20, 16, 36]],
        [[-1, 0, 0, 0, 0], [-1, 0, 0, 0, 0]],
    ]
    rows = source.development.images[1, 0, :, 0].tolist()
    assert rows[:19] + rows[-19:] == [114] * 38
    assert rows[21:-21] == [5] * 38
    assert source.test is None
    assert source.faults == ()


def test_lists_say_which_part_an_image_is_of(tmp_path: Path) -> None:
    root = write_voc(tmp_path, 12)
    write_lists(
        root, train=[0, 1, 2, 3], val=[4, 5], test=[6, 7, 8], trainval=[0, 1], cat_train=[9]
    )
    source = read(root)
    assert len(source.development) == 4
    assert source.validation is not None
    assert source.test is not None
    assert [len(source.validation), len(source.test)] == [2, 3]
    assert source.test.images[:, 0, 20, 20].tolist() == [30, 35, 40]
    assert faults(source) == {"images in no part of the split": 3}


@pytest.mark.slow
@pytest.mark.skipif(not BCCD.exists(), reason="the blood cells are not there")
def test_bccd_is_read_with_its_lists(tmp_path: Path) -> None:
    with tarfile.open(BCCD) as archive:
        archive.extractall(tmp_path, filter="data")
    source = read(tmp_path, 64)
    assert source.classes == ("Platelets", "RBC", "WBC")
    assert source.validation is not None
    assert source.test is not None
    parts = (source.development, source.validation, source.test)
    assert [len(part) for part in parts] == [205, 87, 72]
    assert sum((part.targets[:, :, 0] >= 0).sum() for part in parts) == 4_886
    (fault,) = source.faults
    assert (fault.kind, fault.count) == ("boxes without area left out", 2)
    assert "BloodImage_00338.xml, line 158" in "".join(fault.places)
