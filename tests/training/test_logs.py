import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest
from conftest import a_problem
from torch import nn

from evonas.data.dataset import Split
from evonas.errors import SettingsError
from evonas.settings import TrainingSettings
from evonas.training import Progress, train
from evonas.training.logs import CSV_FILE, LOGS, opened_logs

WITHOUT_TENSORBOARD = importlib.util.find_spec("tensorboard") is None


def rows(folder: Path) -> list[dict[str, str]]:
    with open(folder / CSV_FILE, newline="") as lines:
        return list(csv.DictReader(lines))


def train_a_little(folder: Path | None, log: tuple[str, ...], **words: object) -> Progress:
    images = np.random.default_rng(0).integers(0, 256, (8, 1, 4, 4), dtype=np.uint8)
    split = Split(images, np.arange(8) % 2)
    network = nn.Sequential(nn.Flatten(), nn.Linear(16, 2))
    recipe = TrainingSettings(epochs=3, batch_size=4, log=log)
    problem = a_problem(2, (0.5,), (0.25,))
    return train(network, split, problem, recipe, 0, log_folder=folder, **words)  # type: ignore[arg-type]


def test_every_log_of_the_settings_is_there() -> None:
    schema = TrainingSettings.model_json_schema()["properties"]["log"]
    assert set(schema["items"]["enum"]) == set(LOGS)


def test_a_table_has_a_line_for_each_epoch(tmp_path: Path) -> None:
    progress = train_a_little(tmp_path, ("csv",))
    assert [row["epoch"] for row in rows(tmp_path)] == ["1", "2", "3"]
    assert [float(row["loss"]) for row in rows(tmp_path)] == progress.curve
    assert all(float(row["learning_rate"]) >= 0 for row in rows(tmp_path))
    assert list(tmp_path.iterdir()) == [tmp_path / CSV_FILE]


def test_validation_has_columns_of_its_own(tmp_path: Path) -> None:
    split = Split(np.zeros((4, 1, 4, 4), np.uint8), np.zeros(4, np.int64))
    progress = train_a_little(tmp_path, ("csv",), validation=split)
    logged = [float(row["validation_loss"]) for row in rows(tmp_path)]
    assert logged == progress.validation_curve
    assert {row["validation_accuracy"] for row in rows(tmp_path)} <= {"0.0", "1.0"}


def test_a_table_goes_on_where_the_training_does(tmp_path: Path) -> None:
    for epochs_done, epochs in ((0, (1, 2, 3)), (2, (3, 4)), (1, (2,))):
        with opened_logs(("csv",), tmp_path, epochs_done) as write:
            for epoch in epochs:
                write(epoch, {"loss": epoch + epochs_done / 10})
    assert [(row["epoch"], row["loss"]) for row in rows(tmp_path)] == [("1", "1.0"), ("2", "2.1")]
    with opened_logs(("csv",), tmp_path, 0) as write:
        write(1, {"loss": 5.0})
    assert [row["loss"] for row in rows(tmp_path)] == ["5.0"], "a new training, a new table"


def test_without_a_folder_or_a_name_nothing_is_written(tmp_path: Path) -> None:
    train_a_little(None, ("csv", "tensorboard"))
    train_a_little(tmp_path, ())
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not WITHOUT_TENSORBOARD, reason="it is installed")
def test_without_tensorboard_its_log_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"pip install 'evonas\[tensorboard\]'"):
        train_a_little(tmp_path, ("tensorboard",))


@pytest.mark.skipif(WITHOUT_TENSORBOARD, reason="needs the package tensorboard")
def test_tensorboard_finds_event_files(tmp_path: Path) -> None:
    train_a_little(tmp_path, ("tensorboard",))
    assert list((tmp_path / "tensorboard").glob("events*"))
