"""What the neighbours of a pick would cost."""

from evonas.evaluation.objectives import parse_objective
from evonas.reports.trade import told_trade

OBJECTIVES = [parse_objective("accuracy"), parse_objective("latency_ms"), parse_objective("macs")]
NO_NOISE = {"accuracy": 0.0, "latency_ms": 0.0, "macs": 0.0}


def test_gains_come_first_and_losses_are_their_price() -> None:
    better = {"accuracy": 0.004, "latency_ms": 0.6, "macs": 1e6}
    assert told_trade(12, OBJECTIVES, better, NO_NOISE) == (
        "Trial 12 has 0.4 points more accuracy for 0.6 ms more latency_ms and 1 M more macs."
    )
    cheaper = {"accuracy": -0.004, "latency_ms": -0.6, "macs": 0.0}
    assert told_trade(7, OBJECTIVES, cheaper, {**NO_NOISE, "accuracy": 0.005}) == (
        "Trial 7 has 0.6 ms less latency_ms for 0.4 points less accuracy, which is within the "
        "noise."
    )
