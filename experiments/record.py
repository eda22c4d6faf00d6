"""What every experiment shares: its words, its record, its JSON."""

import argparse
import json
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evonas.runs.run_folder import environment

RECORDS = Path(__file__).resolve().parent / "records"


def parser(description: str | None) -> argparse.ArgumentParser:
    """Arguments that all experiments take."""
    words = argparse.ArgumentParser(description=description)
    words.add_argument("--json", action="store_true", help="print one JSON document")
    words.add_argument(
        "--record",
        nargs="?",
        const="",
        metavar="NAME",
        help="keep the result in records/, under the script's name and this one",
    )
    return words


def report(words: argparse.Namespace, result: Mapping[str, Any]) -> None:
    """Prints the result and keeps it if asked."""
    name = Path(sys.argv[0]).stem
    command = shlex.join(["python", f"experiments/{name}.py", *sys.argv[1:]])
    if words.record is not None:
        RECORDS.mkdir(exist_ok=True)
        document = {"command": command, "environment": environment(), "result": result}
        stem = f"{name}_{words.record}" if words.record else name
        (RECORDS / f"{stem}.json").write_text(_readable(document) + "\n")
    if words.json:
        print(json.dumps(result))
        return
    for key, value in result.items():
        print(f"{key}: {value}")


def _readable(document: Mapping[str, Any]) -> str:
    """JSON with a line for each key, and lists of plain values on one line."""
    text = json.dumps(document, indent=2)
    return re.sub(r"\[[^][{}]*\]", lambda found: " ".join(found[0].split()), text)
