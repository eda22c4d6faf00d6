"""The command on what this machine offers."""

from collections.abc import Iterator

import typer

from evonas.cli.command import WORK_FAILED, Json, Words, if_stopped, say


def doctor(words: Words = None, json: Json = False) -> None:
    """Try out what this machine offers, and estimate time and disk of a search.

    Words are those of the search that is meant, as in evonas doctor space=nano data=cifar10.
    """
    from dataclasses import asdict

    from evonas.doctor import Check, examine
    from evonas.reports.doctor_lines import print_checks

    if_stopped("Nothing is left behind. Look again by:")
    found: list[Check] = []

    def noted() -> Iterator[Check]:
        for check in examine(words or []):
            found.append(check)
            yield check

    if json:
        list(noted())
        say({"checks": [asdict(check) for check in found]}, True, print_checks)
    else:
        say(noted(), False, print_checks)
    if not all(check.ok for check in found):
        raise typer.Exit(WORK_FAILED)
