"""Tables of a run and of its trials, as a terminal shows them."""

import io
from typing import Any

import pytest

from evonas.reports.console import PlainConsole
from evonas.reports.tables import print_trial, told_alike

TRIAL: dict[str, Any] = {
    "number": 7,
    "run": "small",
    "status": "complete",
    "error": {"kind": None, "text": None},
    "measures": {"accuracy": 0.95},
    "rung": 0,
    "continues": None,
    "continued_by": None,
    "source": None,
    "training_of": None,
    "ladder": [],
    "details": {},
    "seconds": 3.0,
    "attempts": 1,
    "fingerprint": "0123456789abcdef",
    "operator": "random",
    "parents": [],
    "genes": {"compression.pruning.method": "channels"},
}
LADDER = [
    {"step": "training", "accuracy": 0.97, "seconds": 2.0, "size_mib": 1.5},
    {"step": "pruning", "accuracy": 0.96, "seconds": 0.5, "size_mib": 0.75},
    {"step": "quantisation", "accuracy": 0.95, "seconds": 0.25, "size_mib": 0.1875},
]


def shown(**more: Any) -> list[str]:
    console = PlainConsole(file=io.StringIO(), width=120)
    print_trial({**TRIAL, **more}, console)
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.replace("┃", "│").split("│") if cell.strip()]


def test_a_trial_shows_what_each_step_left_of_its_network() -> None:
    rows = [cells(line) for line in shown(ladder=LADDER)]
    assert ["after", "accuracy", "size_mib", "seconds"] in rows
    assert ["training", "0.97", "1.5 MiB", "2.0 s"] in rows
    assert ["quantisation", "0.95", "0.1875 MiB", "0.2 s"] in rows
    assert not any("after" in line for line in shown())


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"training_of": 3}, "that of trial 3; compressed otherwise"),
        ({"source": 3}, "taken from trial 3, which is the same at proxy scale"),
    ],
)
def test_a_trial_says_whose_training_it_shares(more: dict[str, int], said: str) -> None:
    assert any(said in line for line in shown(**more))


@pytest.mark.parametrize(
    ("teacher", "said"), [(None, "nobody"), (3, "trial 3"), ("/models/large", "/models/large")]
)
def test_a_trial_says_who_taught_it(teacher: int | str | None, said: str) -> None:
    (line,) = (line for line in shown(details={"taught_by": teacher}) if "taught by" in line)
    assert said in line
    assert not any("taught by" in line for line in shown())


def test_a_front_says_whom_it_leaves_out() -> None:
    assert (
        told_alike([{"number": 62}])
        == "1 more trial (62) differs from these by less than the noise."
    )
    many = told_alike([{"number": number} for number in range(12)])
    assert many.startswith("12 more trials (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...) differ from these")
