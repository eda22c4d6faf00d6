"""All designs of a front as model folders in one folder."""

from pathlib import Path
from typing import Any

from evonas.delivery.enlarge import Given
from evonas.delivery.export import export
from evonas.delivery.pick import front_within
from evonas.files import make_folder
from evonas.model_folder.replacement import new_folder
from evonas.runs.run import Run


def export_front(
    run: Run, to: str | Path, where: str | None = None, scale: str = "full", settings: Given = ()
) -> dict[str, Any]:
    """Writes the designs of the front that can be told apart, each into a folder `trial-NUMBER`.

    Args:
        to: The folder of these folders: new or empty.
        where, scale, settings: As for `export`.

    Returns:
        `run`, `folder`, and `models`: what `export` gives of each, best in the first objective
        first.

    Raises:
        ExportError: As for `export`; the folders that were written before stay.
    """
    folder, given = new_folder(to), settings if isinstance(settings, dict) else [*settings]
    numbers = front_within(run, where)
    make_folder(folder)
    models = [
        export(run, folder / f"trial-{number}", str(number), None, scale, given)
        for number in numbers
    ]
    return {"run": run.name, "folder": str(folder), "models": models}
