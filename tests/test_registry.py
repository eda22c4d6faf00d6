import pytest

from evonas.errors import UnknownName
from evonas.registry import did_you_mean, pick, unknown_name

TABLE = {"relu": 1, "relu6": 2, "tanh": 3}


def test_a_known_name_gives_its_thing() -> None:
    assert pick(TABLE, "relu6", "activation") == 2


def test_an_unknown_name_is_told_with_the_nearest_and_all_known() -> None:
    with pytest.raises(UnknownName) as failure:
        pick(TABLE, "tahn", "activation")
    assert failure.value.problems == [
        'There is no activation called "tahn". Did you mean "tanh"? Known: relu, relu6, tanh.'
    ]


def test_a_name_like_no_other_gets_no_guess() -> None:
    assert unknown_name(TABLE, "swish", "activation") == (
        'There is no activation called "swish". Known: relu, relu6, tanh.'
    )


def test_the_nearest_of_several_names_is_meant() -> None:
    assert did_you_mean(["width", "weight_decay", "with"], "widht") == 'Did you mean "width"? '
    assert did_you_mean([], "widht") == ""
