"""Numbers that no network has are refused with the largest that there may be."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import SPACE, changed, problems_of

from evonas.errors import SpaceError
from evonas.networks.chain.layer_words import DEFAULTS, NEEDED
from evonas.networks.chain.rules import LAYER_KEYS, WORD_VALUES
from evonas.networks.scale import LARGEST
from evonas.space import SearchSpace
from evonas.space.check import check_space
from evonas.space.load import load_space_file

SCALES = SPACE.partition("network:")[0]
TWO_LAYERS = changed(SPACE, ("layers: 1", "layers: 2"))
BLOCK = "{times: 2, layers: [{conv: 8, kernel: 3}]}"
CHAIN = f"""{SCALES}network:
  builder: chain
  activation: relu
  layers:
    - {BLOCK}
    - {{max_pool: 2, stride: 2}}
  head: [{{global_pool: average}}, {{linear: classes}}]
"""


def load(text: str) -> SearchSpace:
    Path("large.yaml").write_text(text)
    return load_space_file(Path("large.yaml"))


@pytest.mark.parametrize("text", [SPACE, CHAIN])
def test_spaces_of_usual_numbers_pass(text: str) -> None:
    check_space(load(text))


@pytest.mark.parametrize(
    ("text", "old", "new", "told"),
    [
        (SPACE, "channels: 16", "channels: 1000000000", "stages.0.channels (line 14)"),
        (SPACE, "channels: 8", "channels: 65537", "stem.channels (line 7)"),
        (SPACE, "channels: 32", "channels: {int: [1, 1000000000]}", "head.channels (line 17)"),
        (SPACE, "layers: 1", "layers: 1000000", "stages.0.layers (line 15)"),
        (SPACE, "layers: 1", "layers: {choice: [2, 10001]}", "stages.0.layers (line 15)"),
        (SPACE, "{choice: [3, 5]}", "100001", "stages.0.kernel (line 11)"),
        (SPACE, "[3, 6]", "[3, 1000000]", "stages.0.expansion (line 10)"),
        (TWO_LAYERS, "- op", "- repeat: 6000\n      op", "stages.5000.layers (line 16)"),
        (CHAIN, "conv: 8", "conv: 1000000", "layers.0.layers.0.conv (line 8)"),
        (CHAIN, "kernel: 3", "kernel: 2049", "layers.0.layers.0.kernel (line 8)"),
        (CHAIN, "times: 2", "times: 1000000", "layers.0.times (line 8)"),
        (CHAIN, "times: 2", "times: {int: [2, 9000000]}", "layers.0.times (line 8)"),
        (CHAIN, "stride: 2", "stride: [1, 100000]", "layers.1.stride (line 9)"),
        (CHAIN, BLOCK, f"{{times: 9000, layers: [{BLOCK}]}}", "layers (line 7)"),
    ],
)
def test_a_number_that_no_network_has_is_told_with_its_line_and_the_largest(
    text: str, old: str, new: str, told: str
) -> None:
    problems = problems_of(check_space, load(changed(text, (old, new))))
    problem = next(each for each in problems if f"network.{told}" in each)
    assert "most" in problem or "to 1024" in problem


@pytest.mark.parametrize("key", sorted(LARGEST))
def test_a_scale_beyond_the_largest_is_told_with_its_line(key: str) -> None:
    written = {"resolution_px": 32, key: LARGEST[key] + 1}
    old, new = "full: {resolution_px: 32}", f"full: {json.dumps(written)}"
    (problem,) = problems_of(load, changed(SPACE, (old, new)))
    assert f"scales.full.{key} (line 3): " in problem
    assert f"at most {LARGEST[key]}" in problem


@pytest.mark.parametrize(("key", "phi"), [("resolution_px", 16), ("width", 20), ("depth", 14)])
def test_a_scale_that_phi_makes_too_large_is_told(key: str, phi: int) -> None:
    space = load(SPACE)
    full = replace(space.scales["full"], **{key: LARGEST[key] // 6}).compound(phi)
    with pytest.raises(SpaceError, match=rf"scales.full .*a {key} of .*, more than {LARGEST[key]}"):
        check_space(space, [full])


def test_every_word_and_key_of_a_chain_has_a_rule() -> None:
    assert set(WORD_VALUES) == set(DEFAULTS)
    keys = {key for word in DEFAULTS for key in (*DEFAULTS[word], *NEEDED.get(word, ()))}
    assert set(LAYER_KEYS) == keys
