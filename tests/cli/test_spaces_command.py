"""`evonas spaces`: what can be searched, before it is."""

import json
from pathlib import Path

import pytest
from conftest import REPOSITORY, typed

from evonas.evaluation.space_figures import space_summary


def broken_nano(path: Path, right: str, wrong: str) -> int:
    """Writes the space with a mistake; gives its line."""
    lines = (REPOSITORY / "search_spaces" / "nano.yaml").read_text().splitlines()
    place = next(index for index, line in enumerate(lines) if right in line)
    lines[place] = lines[place].replace(right, wrong)
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines))
    return place + 1


def test_all_spaces_are_listed_and_a_damaged_one_hides_none() -> None:
    line = broken_nano(Path("search_spaces/broken.yaml"), "int: [1, 2]", "int: [2, 1]")
    result = typed("spaces", "--json")
    assert result.returncode == 0
    listed = {space["name"]: space for space in json.loads(result.stdout)}
    assert {"nano", "mobile_cells"} <= set(listed)
    assert "broken" not in listed
    assert listed["nano"]["size"] == 12288
    assert f"broken.yaml, network.stages.0.layers.int (line {line}): [2, 1]" in result.stderr


def test_one_space_has_the_keys_that_scripts_rely_on_and_repeats() -> None:
    words = ["constraints.parameters.max=20000", "run.seed=1"]
    result = typed("spaces", "nano", *words, "--sample", "2", "--json")
    assert result.stderr == ""
    found = json.loads(result.stdout)
    keys = ["name", "title", "source", "size", "genes", "scales", "sample", "designs"]
    assert list(found) == keys
    assert list(found["scales"]) == ["proxy", "full"]
    sample = found["sample"]
    assert list(sample) == ["designs", "feasible_share", "parameters", "macs", "scale"]
    assert list(sample["macs"]) == ["min", "median", "max"]
    assert 0 < sample["feasible_share"] < 1
    assert list(found["designs"][0]) == ["genes", "parameters", "macs", "fingerprint"]
    assert json.loads(json.dumps(space_summary("nano", words, listed=2))) == found


def test_the_terminal_shows_all_of_a_space() -> None:
    shown = typed("spaces", "nano", "--sample", "1").stdout
    assert "designs  12288" in shown
    assert "│ network.stages.1.operation │ choice │ conv, depthwise_separable, inverted_" in shown
    assert "designs drawn at random, 100% are feasible" in shown
    assert "Design 1, " in shown
    assert "…" not in shown


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nan"], 'There is no space called "nan". Did you mean "nano"?'),
        (["--sample", "2"], "--sample draws from one space"),
    ],
)
def test_mistakes_are_told(words: list[str], message: str) -> None:
    result = typed("spaces", *words)
    assert result.returncode == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.stderr
