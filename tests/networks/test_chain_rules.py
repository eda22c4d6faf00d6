"""What layers of chains may say, and what is told of others."""

from pathlib import Path

from conftest import changed, mistakes, problems_of
from test_chain_plan import images

from evonas.models import build
from evonas.space import SearchSpace
from evonas.space.check import check_space
from evonas.space.load import load_space_file

SPACE = """\
scales:
  proxy: {resolution_px: 16, width: 0.5}
  full: {resolution_px: 32}
network:
  builder: chain
  activation: relu
  layers:
    - {times: {int: [1, 3]}, layers: [{conv: {choice: [8, 16]}, kernel: {choice: [3, 5]}}]}
    - {concat: [[], [{conv: 8, kernel: 1}, {max_pool: 3, stride: 1, padding: same}]]}
    - {max_pool: 2, stride: {choice: [1, 2]}}
  head: [{global_pool: average}, {linear: classes}]
"""


def space(*changes: tuple[str, str]) -> SearchSpace:
    Path("tiny.yaml").write_text(changed(SPACE, *changes), encoding="utf-8")
    return load_space_file(Path("tiny.yaml"))


def test_a_space_of_chains_passes_and_its_ends_build() -> None:
    sound = space()
    check_space(sound)
    for number in (-9.0, 9.0):
        blueprint = sound.decode([number] * len(sound.genes))
        build(blueprint, sound.scales["proxy"])(images(2, 3, 16, 16))
        assert sound.decode(sound.encode(blueprint)) == blueprint


@mistakes("""
[{conv: 8, kernel: 1}, {max => [{conv: 8}, {max
    network.layers.1.concat.1.0 (line 9): the key kernel is missing.
{conv: 8, kernel: 1} => {cnov: 8, kernel: 1}
    There is no layer called "cnov". Did you
kernel: 1} => kernel: 1, strid: 2}
    there is no key "strid" here. Did you mean "stride"
kernel: 1} => kernel: 0}
    0 is no extent. Write pixels from 1 to 1024, as in 3 or [1, 7].
[3, 5] => [3, 4]
    4 has an even side, and padding same needs odd ones.
padding: same => padding: full
    full is no extent. Write pixels from 0 to 1024
[8, 16] => [8, 0]
    0 is not a number of channels. Write a whole number of at least 1,
{int: [1, 3]} => 0
    0 is not a number of repetitions.
global_pool: average => global_pool: mean
    There is no global_pool called "mean".
[[], [{conv: 8 => [5, [{conv: 8
    network.layers.1.concat.0 (line 9): 5 is no list of
{global_pool: average} => flatten
    flatten is no layer. Write one as
{linear: classes}] => {linear: classes, scale: 2}]
    there is no key "scale" here.
head: [{global_pool: average}, {linear: classes}] => head: []
    write a list with at
resolution_px: 32 => resolution_px: 1
    the smallest that works is 2 px.
""")
def test_what_is_wrong_in_a_space_is_told(wrong: tuple[str, str], told: str) -> None:
    assert told in "\n".join(problems_of(check_space, space(wrong)))
