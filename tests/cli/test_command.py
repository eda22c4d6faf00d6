"""What all commands have in common."""

import sys

import pytest

from evonas import interrupts
from evonas.cli.command import if_stopped


@interrupts.handled()
def stopped_while_exporting() -> None:
    if_stopped("Nothing was written. Export again by:")
    raise KeyboardInterrupt


def test_a_command_that_is_interrupted_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/bin/evonas", "export", "my run", "--to", "m"])
    with pytest.raises(KeyboardInterrupt) as stopped:
        stopped_while_exporting()
    (said,) = stopped.value.args
    assert said == "Nothing was written. Export again by: evonas export 'my run' --to m"
