"""How many places a window has that moves over a map: the size of what comes out."""


def places(
    length: int, kernel: int, stride: int, padding: int, dilation: int = 1, ceil: bool = False
) -> int:
    """(length + 2 padding - dilation (kernel - 1) - 1) / stride + 1 along one axis, rounded down.

    Args:
        length: Pixels of the map.
        ceil: Rounds up, so that windows reach beyond the padding; none begins behind the map.

    Returns:
        0 if no window fits.
    """
    free = length + 2 * padding - dilation * (kernel - 1) - 1
    if free < 0:
        return 0
    steps = -(-free // stride) if ceil else free // stride
    if ceil and steps * stride >= length + padding:
        steps -= 1
    return steps + 1
