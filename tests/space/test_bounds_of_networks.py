"""Numbers that no network has are refused with the largest that there may be."""

from dataclasses import replace
from pathlib import Path

import pytest

from evonas.errors import SpaceError
from evonas.networks.chain.layer_words import DEFAULTS, NEEDED
from evonas.networks.chain.rules import LAYER_KEYS, WORD_VALUES
from evonas.networks.scale import LARGEST
from evonas.space import SearchSpace
from evonas.space.check import check_space
from evonas.space.load import load_space_file

SCALES = "scales: {proxy: {resolution_px: 8}, full: {resolution_px: 16}}\n"
STAGES = """network:
  builder: stages
  activation: relu
  stem: {channels: 8, kernel: 3, stride: 1}
  stages:
    - operation: inverted_residual
      expansion: 3
      kernel: 3
      se_ratio: 0
      skip: none
      channels: 8
      layers: 2
      stride: 1
  head: {channels: 16}
"""
CHAIN = """network:
  builder: chain
  activation: relu
  layers:
    - {times: 2, layers: [{conv: 8, kernel: 3}]}
    - {max_pool: 2, stride: 2}
  head: [{global_pool: average}, {linear: classes}]
"""


def load(folder: Path, text: str) -> SearchSpace:
    file = folder / "large.yaml"
    file.write_text(text)
    return load_space_file(file)


@pytest.mark.parametrize(
    ("text", "old", "new", "told"),
    [
        (STAGES, "channels: 8\n ", "channels: 1000000000\n ", "stages.0.channels (line 12)"),
        (STAGES, "{channels: 8,", "{channels: 65537,", "stem.channels (line 5)"),
        (STAGES, "channels: 16", "channels: {int: [1, 1000000000]}", "head.channels (line 15)"),
        (STAGES, "layers: 2", "layers: 1000000", "stages.0.layers (line 13)"),
        (STAGES, "layers: 2", "layers: {choice: [2, 10001]}", "stages.0.layers (line 13)"),
        (STAGES, "kernel: 3\n", "kernel: 100001\n", "stages.0.kernel (line 9)"),
        (STAGES, "expansion: 3", "expansion: 1000000", "stages.0.expansion (line 8)"),
        (STAGES, "- operation", "- repeat: 6000\n      operation", "stages.5000.layers (line 14)"),
        (CHAIN, "conv: 8", "conv: 1000000", "layers.0.layers.0.conv (line 6)"),
        (CHAIN, "kernel: 3", "kernel: 2049", "layers.0.layers.0.kernel (line 6)"),
        (CHAIN, "times: 2", "times: 1000000", "layers.0.times (line 6)"),
        (CHAIN, "times: 2", "times: {int: [2, 9000000]}", "layers.0.times (line 6)"),
        (CHAIN, "stride: 2", "stride: [1, 100000]", "layers.1.stride (line 7)"),
        (
            CHAIN,
            "layers: [{conv: 8, kernel: 3}]",
            "layers: [{times: 9000, layers: [{conv: 8, kernel: 3}]}]",
            "layers (line 5)",
        ),
    ],
)
def test_a_number_that_no_network_has_is_told_with_its_line_and_the_largest(
    tmp_path: Path, text: str, old: str, new: str, told: str
) -> None:
    assert text.count(old) == 1
    check_space(load(tmp_path, SCALES + text))
    with pytest.raises(SpaceError) as caught:
        check_space(load(tmp_path, SCALES + text.replace(old, new)))
    problem = next(each for each in caught.value.problems if f"network.{told}" in each)
    assert "most" in problem or "to 1024" in problem


@pytest.mark.parametrize("key", sorted(LARGEST))
def test_a_scale_beyond_the_largest_is_told_with_its_line(tmp_path: Path, key: str) -> None:
    scale = {"resolution_px": 16, key: LARGEST[key] + 1}
    written = ", ".join(f"{name}: {value}" for name, value in scale.items())
    with pytest.raises(
        SpaceError, match=rf"scales.full.{key} \(line 1\): .*at most {LARGEST[key]}"
    ):
        load(tmp_path, SCALES.replace("resolution_px: 16", written) + STAGES)


@pytest.mark.parametrize(("key", "phi"), [("resolution_px", 16), ("width", 20), ("depth", 14)])
def test_a_scale_that_phi_makes_too_large_is_told(tmp_path: Path, key: str, phi: int) -> None:
    space = load(tmp_path, SCALES + STAGES)
    full = replace(space.scales["full"], **{key: LARGEST[key] // 6}).compound(phi)
    with pytest.raises(SpaceError, match=rf"scales.full .*a {key} of .*, more than {LARGEST[key]}"):
        check_space(space, [full])


def test_every_word_and_key_of_a_chain_has_a_rule() -> None:
    assert set(WORD_VALUES) == set(DEFAULTS)
    keys = {key for word in DEFAULTS for key in (*DEFAULTS[word], *NEEDED.get(word, ()))}
    assert set(LAYER_KEYS) == keys
