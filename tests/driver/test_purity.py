"""A run that was stopped again and again ends as one that was not."""

from pathlib import Path
from typing import Any

import pytest

from evonas.driver import resume, search
from evonas.evolution import EVOLVERS
from evonas.runs import Run, load_run

TABLE = "kind,width,accuracy_a,accuracy_b,accuracy,latency_ms,seconds\n"
OBSERVED = {"accuracy": ["accuracy_a", "accuracy_b"]}
SPACE = """\
values:
  kind: {choice: [a, b, c, d]}
  width: {choice: [8, 16, 24, 32, 40, 48, 56, 64]}
"""
EVALUATIONS = 26


@pytest.fixture
def words(working_folder: Path) -> dict[str, Any]:
    """A search over a table of 32 designs with simulated durations."""
    rows = []
    for place, kind in enumerate("abcd"):
        for width in range(8, 65, 8):
            score = 60 + width / 4 - abs(place - 1) * 3 + (width * place) % 7
            seconds = 20 + width + 31 * ((place * 5 + width // 8) % 6)
            rows.append(f"{kind},{width},{score - 0.4},{score + 0.5},{score},{width / 9},{seconds}")
    Path("table.csv").write_text(TABLE + "\n".join(rows) + "\n")
    Path("sizes.yaml").write_text(SPACE)
    return {
        "space": "sizes.yaml",
        "objectives": ["accuracy:max", "latency_ms:min"],
        "evaluator": {"name": "table", "path": "table.csv", "observed": OBSERVED},
        "executor": {"name": "inline"},
        "budget": {"evaluations": EVALUATIONS},
        "display": "none",
    }


def facts(run: Run) -> list[tuple[object, ...]]:
    """What has to be equal, in the order in which trials finished."""
    records = run.records
    finished = [(records.trials[number], outcome) for number, outcome in records.outcomes.items()]
    return [
        (t.number, t.chromosome, t.parents, t.operator, records.seen[t.number], outcome.measures)
        for t, outcome in finished
    ]


def stopped_and_resumed(words: dict[str, Any], every: int, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The same search, interrupted in the middle of each so-manieth evaluation."""
    from evonas.evaluation.table_evaluator import TableEvaluator

    looked_up = TableEvaluator.__call__
    calls = 0

    def interrupted(self: TableEvaluator, trial: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls % every == 0:
            raise KeyboardInterrupt
        return looked_up(self, trial)

    with monkeypatch.context() as patched:
        patched.setattr(TableEvaluator, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search({**words, "run": {"name": "parts"}})
        assert load_run("runs/parts").status == "interrupted"
        stops = 1
        while load_run("runs/parts").status != "finished":
            try:
                resume(Path("runs/parts"))
            except KeyboardInterrupt:
                stops += 1
    assert stops >= 2
    return load_run("runs/parts")


@pytest.mark.parametrize("schedule", ["async", "generational"])
@pytest.mark.parametrize("name", [name for name in EVOLVERS if name != "gp"])
def test_one_at_a_time(
    name: str, schedule: str, words: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    words |= {"schedule": schedule, "evolver": {"name": name, "population": 6}}
    whole = search({**words, "run": {"name": "whole"}})
    parts = stopped_and_resumed(words, 7, monkeypatch)
    assert facts(parts) == facts(whole)
    assert len(facts(whole)) >= EVALUATIONS


@pytest.mark.parametrize("schedule", ["async", "generational"])
@pytest.mark.parametrize("duration", [{"duration": "seconds"}, {"duration_mean_s": 600}])
def test_several_on_the_virtual_clock(
    schedule: str,
    duration: dict[str, Any],
    words: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words |= {"schedule": schedule, "evolver": {"population": 6}}
    words["evaluator"] |= duration
    words["executor"] = {"name": "virtual", "workers": 4, "charge_proposals": False}
    whole = search({**words, "run": {"name": "whole"}})
    parts = stopped_and_resumed(words, 9, monkeypatch)
    assert facts(parts) == facts(whole)
    numbers = [number for number, *_ in facts(whole)]
    assert numbers != sorted(numbers), "some trials overtake others"
    assert parts.seconds == pytest.approx(whole.seconds)


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_generations_do_not_depend_on_the_number_of_workers(
    workers: int, words: dict[str, Any]
) -> None:
    words |= {"schedule": "generational", "evolver": {"population": 6}}
    words["evaluator"] |= {"duration": "seconds"}

    def run(count: int) -> list[tuple[object, ...]]:
        executor = {"name": "virtual", "workers": count, "charge_proposals": False}
        return sorted(facts(search({**words, "executor": executor})))

    assert run(workers) == run(3)
