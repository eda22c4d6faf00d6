"""One short name for plain values of any size."""

import hashlib
import json
from typing import Any


def key_of(values: Any) -> str:
    """A short hash of plain values that does not depend on the order of mapping keys."""
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def checksum(content: bytes) -> str:
    """SHA-256 of the bytes of a file, by which it is known again."""
    return hashlib.sha256(content).hexdigest()
