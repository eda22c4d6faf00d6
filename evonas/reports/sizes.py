"""The size of a network in a few words."""

from collections.abc import Mapping
from typing import Any


def told_sizes(sizes: Mapping[str, Any]) -> str:
    """`filters 32, repeats 6`, for sentences; nothing of no sizes.

    >>> told_sizes({"filters": 32, "repeats": [6, 6, 6], "width": 1.21})
    'filters 32, repeats 6, width 1.21'
    """
    return ", ".join(f"{key} {_told(value)}" for key, value in sizes.items())


def _told(value: Any) -> str:
    if isinstance(value, list):
        return _told(value[0]) if len({*value}) == 1 else ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)
