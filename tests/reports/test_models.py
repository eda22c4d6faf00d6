"""`evonas models`: published networks, counted as published and otherwise."""

import json

import pytest
from conftest import typed

from evonas.reports.epochs import told_epochs


def test_one_model_has_the_keys_that_scripts_rely_on() -> None:
    found = json.loads(typed("models", "mobilenet_v2", "--json").stdout)
    assert found["parameters"] == 3_504_872
    assert found["macs"] == 300_774_272
    assert found["input"] == [3, 224, 224]
    assert found["classes"] == 1000
    assert {"name", "fingerprint"} <= found.keys()
    assert "3,504,872" in typed("models", "mobilenet_v2").stdout


def test_another_input_and_other_classes_are_counted() -> None:
    words = ["--input", "3x96x96", "--classes", "10", "--json"]
    found = json.loads(typed("models", "mobilenet_v2", *words).stdout)
    assert found["parameters"] == 2_236_682
    assert found["macs"] < 300_774_272 / 4
    assert found["input"] == [3, 96, 96]


def test_the_table_has_a_line_a_layer_and_the_sums_of_the_network() -> None:
    words = ["models", "mobilenet_v1", "--table", "--input", "3x64x64", "--classes", "10"]
    found = json.loads(typed(*words, "--json").stdout)
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert list(layers)[:2] == ["stem", "stage_1"]
    assert layers["stage_7.4"] == {
        "name": "stage_7.4",
        "kind": "DepthwiseSeparable",
        "output": [512, 4, 4],
        "parameters": 512 * 9 + 2 * 512 + 512 * 512 + 2 * 512,
        "macs": 4 * 4 * (512 * 9 + 512 * 512),
        "receptive_field_px": 219,
        "jump_px": 16,
    }
    assert layers["head"]["output"] == [10]
    assert layers["head"]["receptive_field_px"] is None
    for key in ("parameters", "macs"):
        assert sum(layer[key] for layer in found["layers"]) == found[key]
    shown = typed(*words).stdout
    assert all(name in shown for name in layers)
    assert f"{found['macs']:,}" in shown
    assert json.loads(typed(*words[:2], *words[3:], "--json").stdout)["macs"] == found["macs"]


@pytest.mark.slow
def test_all_models_are_listed() -> None:
    listed = json.loads(typed("models", "--json").stdout)
    names = [model["name"] for model in listed]
    assert {"mnasnet_a1", "efficientnet_b7", "mobilenet_v3_small", "fbnet_c"} <= set(names)
    assert len(names) == len(set(names))
    shown = typed("models").stdout
    assert all(name in shown for name in names)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mobilnet_v2"], 'no model called "mobilnet_v2". Did you mean "mobilenet_v2"?'),
        (["--table"], "Write evonas models NAME --table."),
        (["mobilenet_v2", "--input", "96"], '"96" is no square input'),
        (["mobilenet_v2", "--input", "3x16x16"], "total stride of 32"),
    ],
)
def test_mistakes_are_told(words: list[str], message: str) -> None:
    result = typed("models", *words)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_how_long_a_training_was_is_told_of_one_epoch_and_of_several() -> None:
    assert told_epochs({"epochs": 1}) == "1 epoch"
    assert told_epochs({"epochs": 2}) == "2 epochs"
    assert told_epochs({"epochs": 3, "best_epoch": 2}) == "3 epochs, of which the 2. is kept,"
