"""What holds for every data set in the table."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import REPOSITORY
from labelled_sets import write_voc
from PIL import Image
from small_sets import write_binary_cifar, write_mnist, write_npz

from evonas.data.cache import load_data
from evonas.data.dataset import Dataset
from evonas.data.readers import DATA_SETS
from evonas.driver.preparation import check
from evonas.errors import DataError, SettingsError
from evonas.settings import DataSettings, SyntheticSettings, Words
from evonas.tasks import task_of

WITH_PATH = [name for name, reader in DATA_SETS.items() if "path" in reader.settings]


def write_folder(folder: Path) -> Path:
    for label, name in enumerate("ab"):
        (folder / name).mkdir(parents=True)
        for index in range(5):
            Image.new("L", (4, 4), 100 * label + index).save(folder / name / f"{index}.png")
    return folder


WRITERS: dict[str, Callable[[Path], Path]] = {
    "folder": write_folder,
    "npz": lambda folder: write_npz(folder.with_suffix(".npz")),
    "cifar10": write_binary_cifar,
    "mnist": write_mnist,
    "fashion_mnist": write_mnist,
    "detection": write_voc,
}


@pytest.fixture(params=DATA_SETS)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> DataSettings:
    write = WRITERS.get(request.param)
    path = write(tmp_path / "set") if write else None
    synthetic = SyntheticSettings(images=60)
    return DataSettings(name=request.param, path=path, synthetic=synthetic)


@pytest.mark.parametrize("resolution_px", [8, 32])
def test_a_set_gives_three_parts_of_the_right_form(
    settings: DataSettings, resolution_px: int
) -> None:
    data = load_data(settings, resolution_px)
    for part in data.parts:
        assert len(part.images) == len(part.targets) > 0
        assert part.images.shape[1:] == (data.problem.channels, resolution_px, resolution_px)
        assert part.images.dtype == np.uint8
        assert not list(task_of(data.problem).wrong(part.targets, data.problem))
    counts = task_of(data.problem).counts
    assert all(counts(part.targets, data.problem).min() > 0 for part in data.parts[:2])
    assert len(data.problem.mean) == len(data.problem.deviation) == data.problem.channels


def test_reading_again_from_the_cache_gives_the_same(settings: DataSettings) -> None:
    def content(data: Dataset) -> list[bytes]:
        return [array.tobytes() for part in data.parts for array in (part.images, part.targets)]

    first, second = load_data(settings, 8), load_data(settings, 8)
    assert content(first) == content(second)
    assert first.problem.mean == second.problem.mean


@pytest.mark.parametrize("name", WITH_PATH)
@pytest.mark.parametrize("path", [None, Path("/nowhere")])
def test_a_missing_path_is_told_with_the_setting(name: str, path: Path | None) -> None:
    with pytest.raises(DataError, match=r"data\.path=(DIR|FILE)"):
        load_data(DataSettings(name=name, path=path), 8)


def test_data_and_other_problems_are_told_together(tmp_path: Path) -> None:
    words = ["space=nano", "data=mnist", f"data.path={write_mnist(tmp_path / 'set')}"]
    labels = tmp_path / "set" / "train-labels-idx1-ubyte"
    labels.write_bytes(b"")
    with pytest.raises(SettingsError) as failure:
        check(Words([*words, "objectives=beauty"]))
    assert f"{labels} is empty." in failure.value.problems
    assert len(failure.value.problems) == 2


def test_the_readme_has_every_set_with_its_description() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    rows = [f"| `{name}` | {reader.description} |" for name, reader in DATA_SETS.items()]
    assert "| --- | --- |\n" + "\n".join(rows) + "\n\n" in readme
