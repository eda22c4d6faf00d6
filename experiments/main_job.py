"""The default search from start to end, and its knee exported and retrained at both scales."""

import json
import subprocess
import sys
import time
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from record import parser, report

EVONAS = Path(sys.executable).with_name("evonas")


def evonas(*words: str) -> Any:
    """What the command prints as JSON."""
    call = [str(EVONAS), *words, "--json"]
    return json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    words = parser(__doc__)
    words.add_argument("settings", nargs="*", help="settings of the search, KEY=VALUE")
    words.add_argument("--scales", nargs="*", default=["proxy", "full"])
    given = words.parse_args()
    folder = Path(mkdtemp())
    start = time.monotonic()
    run = evonas("search", f"run.folder={folder}", "run.name=first", *given.settings)
    result: dict[str, Any] = {
        "seconds_with_start_up": time.monotonic() - start,
        "seconds": run["seconds"],
        "evaluations": run["evaluations"],
        "utilisation": run["utilisation"],
        "front": [member["measures"] for member in run["front"]],
    }
    for scale in given.scales:
        model = folder / scale
        evonas("export", str(folder / "first"), "--to", str(model), "--scale", scale)
        trained = evonas("retrain", str(model))
        result[f"knee_at_{scale}_scale"] = {
            key: trained[key] for key in ("test_accuracy", "test_images", "epochs", "seconds")
        }
    report(given, result)


if __name__ == "__main__":
    main()
