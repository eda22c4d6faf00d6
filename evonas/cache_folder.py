"""The user's cache: what is slow to get and safe to lose."""

import os
import tempfile
import threading
from pathlib import Path


def cache_folder(*parts: str) -> Path:
    """A folder of this user's for `parts`; made if missing, in the temporary folder if need be.

    `EVONAS_CACHE` names another place; else `XDG_CACHE_HOME` or `~/.cache` counts.
    """
    base = os.environ.get("EVONAS_CACHE")
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(base or Path(home) / "evonas").joinpath(*parts)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except OSError:
        pass
    fallback = Path(tempfile.gettempdir(), f"evonas-{os.getuid()}").joinpath(*parts)
    fallback.mkdir(parents=True, exist_ok=True, mode=0o700)
    return fallback


def write_atomically(path: Path, content: bytes) -> None:
    """Writes all of `content` or nothing, also when the machine stops half-way."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    with open(temporary, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
