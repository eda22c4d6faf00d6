"""What settings of compression mean: by method, and words that set them."""

import pytest

from evonas.settings import STEP_SETTINGS, CompressionSettings, Words, tidied_compression


def read(*words: str) -> CompressionSettings:
    settings, problems = Words(words).read()
    assert problems == []
    return settings.compression


def test_nothing_is_asked_for_by_default() -> None:
    assert CompressionSettings().meant() == {}


def test_words_set_each_step() -> None:
    found = read("compression.pruning.method=channels", "compression.pruning.ratios=0.2,0.5")
    assert (found.pruning.method, found.pruning.ratios) == ("channels", (0.2, 0.5))
    assert read("compression.quantisation.bits=4").quantisation.bits == 4


def test_a_wrong_word_is_told_with_what_is_right() -> None:
    _, problems = Words(["compression.pruning.metod=channels"]).read()
    assert problems[0].startswith(
        'compression.pruning.metod=channels: compression.pruning has no key "metod". Did you mean '
        '"method"?'
    )


def test_what_a_method_does_not_take_has_no_meaning() -> None:
    one = read("compression.quantisation.method=int8", "compression.quantisation.bits=4")
    other = read("compression.quantisation.method=int8", "compression.quantisation.percentile=99")
    assert one.meant() == other.meant() != {}
    exact = [
        "compression.quantisation.method=int8",
        "compression.quantisation.calibration=percentile",
    ]
    assert read(*exact).meant() != read(*exact, "compression.quantisation.percentile=99").meant()


def test_a_section_is_tidied_by_its_own_methods_alone() -> None:
    section = {
        "pruning": {"method": "none", "ratios": [0.2]},
        "quantisation": {"images": 8, "percentile": 99},
    }
    tidied = {"pruning": {"method": "none"}, "quantisation": {"images": 8, "percentile": 99}}
    assert tidied_compression(section) == tidied


@pytest.mark.parametrize("name", STEP_SETTINGS)
def test_each_method_says_what_it_takes(name: str) -> None:
    group = STEP_SETTINGS[name]
    methods = set(group.model_json_schema()["properties"]["method"]["enum"])
    assert methods == {"none", *group.takes}
    assert all({*keys} <= {*group.model_fields} for keys in group.takes.values())
    assert STEP_SETTINGS.keys() == CompressionSettings.model_fields.keys()
