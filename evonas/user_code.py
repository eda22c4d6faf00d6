"""Where code of the user's raised an error: their file and line, and a traceback without ours."""

import sysconfig
import traceback
from pathlib import Path

_OTHERS = (
    str(Path(__file__).parent),
    *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")),
)


def place_of(error: BaseException) -> str:
    """The last line of the user's that led to the error, as in `mine.py (line 3)`; or nothing.

    Of a text that is not Python it is the line that cannot be read.
    """
    if isinstance(error, SyntaxError) and error.filename and error.lineno:
        return _shown(error.filename, error.lineno)
    own = [
        frame for frame in traceback.extract_tb(error.__traceback__) if _is_users(frame.filename)
    ]
    return _shown(own[-1].filename, own[-1].lineno) if own else ""


def summary_of(error: BaseException) -> str:
    """Type and message of the error in a line."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    if isinstance(error, SyntaxError):
        text = error.msg
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def traceback_of(error: BaseException) -> str:
    """The calls that led to the error, from the user's first on; all of them if none is theirs."""
    frames = traceback.extract_tb(error.__traceback__)
    first = next((n for n, frame in enumerate(frames) if _is_users(frame.filename)), 0)
    return "".join(traceback.format_list(frames[first:]))


def _shown(file: str, line: int | None) -> str:
    path = Path(file)
    here = Path.cwd()
    return f"{path.relative_to(here) if path.is_relative_to(here) else path} (line {line})"


def _is_users(file: str) -> bool:
    return not file.startswith((*_OTHERS, "<frozen "))
