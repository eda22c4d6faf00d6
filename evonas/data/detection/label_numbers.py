"""Numbers in labels."""

import math


def finite(text: object) -> float:
    """A number, or the text of one.

    Raises:
        ValueError: It is none, or not a finite one; says what there is.
    """
    try:
        number = float(text) if isinstance(text, str | int | float) else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if isinstance(text, bool) or not math.isfinite(number):
        raise ValueError(f"{str(text)[:20]!r} is no number")
    return number
