"""What inspect and runs say of a run."""

import json
from pathlib import Path

from conftest import typed

INSPECT_KEYS = {"run", "status", "counts", "objectives", "front", "best", "hypervolume"}
INSPECT_KEYS |= {"reference_point", "seconds", "utilisation"}


def test_inspect_tells_all_that_scripts_rely_on(run_copy: Path) -> None:
    result = typed("inspect", "finished", "--json")
    assert result.returncode == 0
    summary = json.loads(result.stdout)
    assert summary.keys() >= INSPECT_KEYS
    assert summary["status"] == "finished"
    counts = summary["counts"]
    assert counts.pop("cached") >= 0, "as many as computed what another design had"
    names = ("complete", "failed", "infeasible", "filtered", "pruned", "running")
    assert counts == dict.fromkeys(names, 0) | {"complete": 14}
    assert summary["objectives"][1] == {
        "name": "latency_ms",
        "direction": "minimise",
        "unit": "ms",
    }
    assert summary["scales"]["accuracy"] == "proxy"
    assert summary["scales"]["latency_ms"] == "full"
    assert summary["knee"] in {member["number"] for member in summary["front"]}
    shown = [*summary["front"], *summary["alike"]]
    assert summary["best"]["number"] in {member["number"] for member in shown}
    assert {own["stand_in"] for own in summary["alike"]} <= {
        member["number"] for member in summary["front"]
    }
    assert {"measures", "fingerprint", "genes"} <= summary["front"][0].keys()
    assert summary["hypervolume"] > 0
    assert 0 < summary["utilisation"] <= 1


def test_inspect_shows_tables_a_trial_the_top_and_csv(run_copy: Path) -> None:
    assert "Pareto front" in typed("inspect", "finished").stdout
    trial = json.loads(typed("inspect", "finished", "--trial", "3", "--json").stdout)
    assert trial["number"] == 3
    assert trial["details"]["latency"]["spread"] > 0
    assert len(trial["curve"]) == 1
    top = json.loads(typed("inspect", "finished", "--top", "3", "--json").stdout)
    accuracies = [row["measures"]["accuracy"] for row in top]
    assert accuracies == sorted(accuracies, reverse=True)
    assert len(top) == 3
    typed("inspect", "finished", "--csv", "all.csv")
    counts = json.loads(typed("inspect", "finished", "--json").stdout)["counts"]
    trials = sum(counts.values())
    assert len(Path("all.csv").read_text().splitlines()) == 1 + trials
    missing = typed("inspect", "finished", "--trial", "99")
    assert missing.returncode == 2
    assert f"Its trials are 0 to {trials - 1}" in missing.stderr


def test_runs_lists_them(run_copy: Path) -> None:
    listed = json.loads(typed("runs", "--json").stdout)
    assert [(run["run"], run["status"]) for run in listed] == [("finished", "finished")]
    assert "finished" in typed("runs").stdout
