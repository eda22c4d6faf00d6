"""What every experiment shares: its words, its record, its JSON."""

import argparse
import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evonas.runs.folder import environment

RECORDS = Path(__file__).resolve().parent / "records"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Arguments that all experiments take."""
    words = argparse.ArgumentParser(description=description)
    words.add_argument("--json", action="store_true", help="print one JSON document")
    words.add_argument("--record", action="store_true", help="keep the result in records/")
    return words


def report(words: argparse.Namespace, result: Mapping[str, Any]) -> None:
    """Prints the result and keeps it if asked."""
    name = Path(sys.argv[0]).stem
    command = shlex.join(["python", f"experiments/{name}.py", *sys.argv[1:]])
    if words.record:
        RECORDS.mkdir(exist_ok=True)
        document = {"command": command, "environment": environment(), "result": result}
        (RECORDS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")
    if words.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key}: {value}")
