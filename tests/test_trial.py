"""The records that rooms hand each other."""

import pytest

from evonas.trial import Finished, Prefix


def test_a_prefix_is_a_sequence_that_does_not_grow() -> None:
    items = [Finished(number, (), None) for number in range(4)]
    prefix = Prefix(items, 3)
    items.append(Finished(9, (), None))
    assert list(prefix) == items[:3]
    assert (prefix[0], prefix[-1]) == (items[0], items[2])
    assert prefix[1:] == items[1:3]
    assert prefix[::-1] == items[2::-1]
    assert prefix == tuple(items[:3])
    assert items[:3] == prefix
    assert prefix == Prefix(list(items), 3)
    assert prefix != items
    assert (items[1] in prefix, items[3] in prefix) == (True, False)
    assert list(reversed(prefix)) == items[2::-1]
    assert not Prefix(items, 0)
    for index in (3, -4):
        with pytest.raises(IndexError, match="there are 3 entries"):
            prefix[index]
