"""What can go wrong, as one tree.

EvonasError                 a mistake outside the program: shown without a traceback
├── SettingsError           wrong words, keys or values
├── UnknownName             a name that is in no table
├── SpaceError              a search-space file that does not hold together
├── DataError               a data set that is missing, empty or damaged
│   └── ImageError          a file that is no image that can be read
├── BuildError              a blueprint that gives no network at this scale
├── RunError                a run folder that is missing, locked, finished or of another kind
├── ExportError             a model folder that cannot be written, or does not check out
├── ExecutorError           no place to run trials
└── WorkFailed              what the work depends on broke down on the way: exit 1
    └── FileError           a file that the disk or the system refuses to write
TrialFailure                a trial that failed by itself: becomes an outcome, never ends a search
"""

from collections.abc import Iterable
from pathlib import Path

LONGEST_MESSAGE = 4000  # letters: a value that a message repeats may have millions
LONGEST_VALUE = 60


def brief(text: str, longest: int = LONGEST_VALUE) -> str:
    """A text without its middle, if it is long.

    >>> brief("1" * 400, 10)
    '11111...11111'
    """
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}...{text[-half:]}"


class EvonasError(Exception):
    """A mistake of the user or of the outside world; one message a line.

    Args:
        problems: One message, or several that are shown together.
    """

    def __init__(self, problems: str | Iterable[str]) -> None:
        messages = [problems] if isinstance(problems, str) else problems
        self.problems = [brief(message, LONGEST_MESSAGE) for message in messages]
        super().__init__("\n".join(self.problems))


class SettingsError(EvonasError):
    """Words or a settings file say something that cannot be meant."""


class UnknownName(EvonasError):
    """A name stands in no table; the message lists those that do."""


class SpaceError(EvonasError):
    """A search-space file is not a search space."""


class DataError(EvonasError):
    """A data set is missing, empty or damaged."""


class ImageError(DataError):
    """A file is no image that can be read.

    Args:
        file: Which.
        reason: Why, as the end of a sentence.
    """

    def __init__(self, file: Path, reason: str) -> None:
        self.file = file
        self.reason = reason.rstrip(".")
        super().__init__(f"{file} is no image that can be read: {self.reason}.")

    def __reduce__(self) -> tuple[type, tuple[Path, str]]:
        return type(self), (self.file, self.reason)


class BuildError(EvonasError):
    """A blueprint gives no network at the scale asked for."""


class RunError(EvonasError):
    """A run folder cannot be used for what was asked."""


class ExportError(EvonasError):
    """A model folder cannot be written or does not do what it should."""


class ExecutorError(EvonasError):
    """There is no place to run trials."""


class WorkFailed(EvonasError):
    """Something broke down in the midst of the work, and nobody's words are wrong."""


class FileError(WorkFailed):
    """A file cannot be written: the disk is full, may not be written, or has no file left."""


FAILURE_KINDS = ("out_of_memory", "diverged", "timeout", "build_error", "worker_lost", "error")


class TrialFailure(Exception):
    """A design that failed by itself.

    Args:
        kind: One of `FAILURE_KINDS`.
        text: What happened, for the ledger.
    """

    def __init__(self, kind: str, text: str) -> None:
        assert kind in FAILURE_KINDS, f"{kind} is no failure kind"
        self.kind = kind
        self.text = text
        super().__init__(kind, text)

    def __str__(self) -> str:
        return self.text
