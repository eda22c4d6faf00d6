"""`evonas models`: published networks, counted as published and otherwise."""

import json

import pytest
from conftest import evonas


def test_one_model_has_the_keys_that_scripts_rely_on() -> None:
    found = json.loads(evonas("models", "mobilenet_v2", "--json").stdout)
    assert found["parameters"] == 3_504_872
    assert found["macs"] == 300_774_272
    assert found["input"] == [3, 224, 224]
    assert found["classes"] == 1000
    assert {"name", "fingerprint"} <= found.keys()
    assert "3,504,872" in evonas("models", "mobilenet_v2").stdout


def test_another_input_and_other_classes_are_counted() -> None:
    words = ["--input", "3x96x96", "--classes", "10", "--json"]
    found = json.loads(evonas("models", "mobilenet_v2", *words).stdout)
    assert found["parameters"] == 2_236_682
    assert found["macs"] < 300_774_272 / 4
    assert found["input"] == [3, 96, 96]


@pytest.mark.slow
def test_all_models_are_listed() -> None:
    listed = json.loads(evonas("models", "--json").stdout)
    names = [model["name"] for model in listed]
    assert {"mnasnet_a1", "efficientnet_b7", "mobilenet_v3_small", "fbnet_c"} <= set(names)
    assert len(names) == len(set(names))
    shown = evonas("models").stdout
    assert all(name in shown for name in names)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mobilnet_v2"], 'no model called "mobilnet_v2". Did you mean "mobilenet_v2"?'),
        (["mobilenet_v2", "--input", "96"], '"96" is no square input'),
        (["mobilenet_v2", "--input", "3x16x16"], "total stride of 32"),
    ],
)
def test_mistakes_are_told(words: list[str], message: str) -> None:
    result = evonas("models", *words)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
