import re
from pathlib import Path

import pytest

from evonas.errors import SpaceError
from evonas.space import SearchSpace, known_spaces, load_space
from evonas.space.load import load_space_file

REST = """
scales:
  proxy: {resolution_px: 8, width: 0.5, smallest_map_px: 4}
  full: {resolution_px: 16}
network:
  builder: stages
  activation: relu
  stem: {channels: 8, kernel: 3, stride: 1}
  stages:
    - {operation: conv, kernel: 3, se_ratio: 0, skip: none, channels: 8, layers: 1, stride: 1}
  head: {channels: 16}
"""


def load(folder: Path, training: str, rest: str = REST) -> SearchSpace:
    """A space file whose genes stand in its first lines."""
    file = folder / "tiny.yaml"
    file.write_text(f"{training.strip()}\n{rest}", encoding="utf-8")
    return load_space_file(file)


def problems(folder: Path, training: str, rest: str = REST) -> list[str]:
    with pytest.raises(SpaceError) as failure:
        load(folder, training, rest)
    return failure.value.problems


def test_a_gene_stands_where_its_allele_will_stand(tmp_path: Path) -> None:
    space = load(tmp_path, "training: {lr0: {log: [1e-3, 1]}, deep: {epochs: {int: [1, 9]}}}")
    assert [gene.name for gene in space.genes] == ["training.lr0", "training.deep.epochs"]
    assert space.decode([-1, 4]).training == {"lr0": 0.1, "deep": {"epochs": 4}}


def test_scales_title_and_name_come_from_the_file(tmp_path: Path) -> None:
    space = load(tmp_path, "title: A tiny space\nsource: a paper")
    assert (space.name, space.title, space.source) == ("tiny", "A tiny space", "a paper")
    untitled = load(tmp_path, "title:")
    assert (untitled.name, untitled.title, untitled.source) == ("tiny", "tiny", "")
    assert space.scales["proxy"].width == 0.5
    assert space.scales["full"].input_shape == (3, 16, 16)


def test_a_gene_may_stand_before_the_gene_it_waits_for(tmp_path: Path) -> None:
    space = load(
        tmp_path,
        """
training:
  momentum: {float: [0, 1], when: {optimizer: sgd}}
  optimizer: {choice: [adam, sgd]}
""",
    )
    assert [gene.name for gene in space.genes] == ["training.optimizer", "training.momentum"]
    assert space.decode([0, 0.5]).training == {"optimizer": "adam"}
    assert space.decode([1, 0.5]).training == {"optimizer": "sgd", "momentum": 0.5}


def test_a_condition_means_the_gene_in_the_nearest_scope(tmp_path: Path) -> None:
    space = load(
        tmp_path,
        """
training:
  mode: {choice: [a, b]}
  inner:
    mode: {choice: [c, d]}
    near: {choice: [1, 2], when: {mode: c}}
  outer:
    far: {choice: [1, 2], when: {mode: [a, b]}}
    full: {choice: [1, 2], when: {inner.mode: d}}
""",
    )
    conditions = {gene.name: gene.when for gene in space.genes if gene.when}
    assert conditions == {
        "training.inner.near": (("training.inner.mode", ("c",)),),
        "training.outer.far": (("training.mode", ("a", "b")),),
        "training.outer.full": (("training.inner.mode", ("d",)),),
    }


def test_a_full_name_means_the_same_gene_from_anywhere(tmp_path: Path) -> None:
    space = load(
        tmp_path,
        """
training:
  mode: {choice: [a, b]}
  deep: {mode: {choice: [c, d]}, far: {mode: {choice: [e, f], when: {training.mode: a}}}}
  list: [{x: {choice: [1, 2], when: {training.list.1.x: 2}}}, {x: {choice: [1, 2]}}]
""",
        REST.replace("kernel: 3, se", "kernel: {choice: [3, 5], when: {training.mode: b}}, se"),
    )
    conditions = {gene.name: gene.when for gene in space.genes if gene.when}
    assert conditions == {
        "network.stages.0.kernel": (("training.mode", ("b",)),),
        "training.deep.far.mode": (("training.mode", ("a",)),),
        "training.list.0.x": (("training.list.1.x", (2,)),),
    }


def test_conditions_tell_alleles_of_different_types_apart(tmp_path: Path) -> None:
    space = load(
        tmp_path,
        """
training:
  mode: {choice: [1, true, 1.0]}
  number: {choice: [a, b], when: {mode: 1}}
  truth: {choice: [a, b], when: {mode: true}}
  either: {choice: [a, b], when: {mode: [true, 1.0]}}
""",
    )
    active = [set(space.decode([mode, 0, 0, 0]).training) for mode in range(3)]
    assert active == [
        {"mode", "number"},
        {"mode", "truth", "either"},
        {"mode", "either"},
    ]
    assert space.size == 2 + 4 + 2


def test_a_condition_on_a_real_number_takes_it_as_the_gene_has_it(tmp_path: Path) -> None:
    space = load(
        tmp_path,
        """
training:
  lr0: {log: [1e-4, 1]}
  drop: {float: [0, 1]}
  low: {choice: [a, b], when: {lr0: 1e-4}}
  none: {choice: [a, b], when: {drop: 0}}
""",
    )
    conditions = [gene.when for gene in space.genes if gene.when]
    assert conditions == [(("training.lr0", (0.0001,)),), (("training.drop", (0.0,)),)]
    assert set(space.decode([-9, -1, 0, 0]).training) == {"lr0", "drop", "low", "none"}
    assert set(space.decode([-1, 1, 0, 0]).training) == {"lr0", "drop"}


def test_merge_keys_make_each_stage_a_gene_of_its_own() -> None:
    names = {gene.name: gene.when for gene in load_space("nano").genes}
    for index in (0, 1):
        operation = f"network.stages.{index}.operation"
        expected = ((operation, ("inverted_residual",)),)
        assert names[f"network.stages.{index}.expansion"] == expected


@pytest.mark.parametrize(
    ("training", "message"),
    [
        (
            "training:\n  g: {choice: [1, 2], int: [1, 2]}",
            "tiny.yaml, training.g (line 2): a gene has one kind and maybe when, got choice, int.",
        ),
        (
            "training:\n  g: {choice: [1, 2], default: 1}",
            "tiny.yaml, training.g (line 2): a gene has one kind and maybe when, "
            "got choice, default.",
        ),
        (
            "training:\n  log: csv",
            "tiny.yaml, training (line 1): a section holds keys, and here log makes a gene of it. "
            "Leave that out, or put it behind the key that it is for.",
        ),
        (
            "training:\n  g: {float: [2, 2]}",
            "tiny.yaml, training.g.float (line 2): [2, 2] is empty: "
            "the low end must be below the high end.",
        ),
        (
            "training:\n  g:\n    int: 4",
            "tiny.yaml, training.g.int (line 3): 4 is not a range. Write [low, high].",
        ),
        (
            "training:\n  g: {choice: [3, 5, 3]}",
            "tiny.yaml, training.g.choice (line 2): [3, 5, 3] has an allele twice.",
        ),
        (
            "training:\n  g: [{choice: [1, 2], when: {h: 1}}]\n  h: {int: [1, 2]}",
            "tiny.yaml, training.g.0 (line 2): an item of a list cannot vanish, "
            "so it takes no when.",
        ),
        (
            "training:\n  g: {int: [1, 2], when: h}\n  h: {int: [1, 2]}",
            "tiny.yaml, training.g.when (line 2): write when: {other_gene: allele}.",
        ),
        (
            "training:\n  g: {int: [1, 2], when: {h: 3}}\n  h: {int: [1, 2]}",
            "tiny.yaml, training.g.when (line 2): training.h: 3 is not between 1 and 2.",
        ),
        (
            "training:\n  a: {int: [1, 2], when: {b: 1}}\n  b: {int: [1, 2], when: {a: 1}}",
            "tiny.yaml, training.a (line 2): the conditions of training.a, training.b "
            "wait for each other.",
        ),
        (
            "trainig: {lr0: 1}",
            "tiny.yaml, trainig (line 1): there is no such section. "
            'Did you mean "training"? Known: title, source, scales, network, training, '
            "compression, values.",
        ),
        (
            "training:\n  a: {choice: [x, y]}\n  g: {int: [1, 2], when: {a: x, training.a: y}}",
            "tiny.yaml, training.g (line 3): this gene can never be active: "
            "tiny.yaml, training.g.when (line 3) asks for training.a x and "
            "tiny.yaml, training.g.when (line 3) asks for training.a y. "
            "Change one of these conditions, or leave the gene out.",
        ),
        (
            "training:\n  a: {choice: [1, 2, true]}\n  b: {int: [1, 2], when: {a: [1, 2]}}\n"
            "  c: {int: [1, 2], when: {b: 1}}\n  d:\n    int: [1, 2]\n"
            "    when: {c: 2, a: true}\n  e: {int: [1, 2], when: {d: 1}}",
            "tiny.yaml, training.d (line 5): this gene can never be active: "
            "tiny.yaml, training.b.when (line 3) asks for training.a 1 or 2 and "
            "tiny.yaml, training.d.when (line 7) asks for training.a True. "
            "Change one of these conditions, or leave the gene out.",
        ),
        ("training: fast", "tiny.yaml, training (line 1): a section holds keys with values."),
    ],
)
def test_a_mistake_is_told_with_file_key_line_and_way_out(
    tmp_path: Path, training: str, message: str
) -> None:
    assert problems(tmp_path, training) == [message]


@pytest.mark.parametrize(
    ("other", "hint"),
    [
        ("training.lr", 'lr0"?'),
        ("lr", 'lr0"?'),
        ("kernel", 'Did you mean "network.stages.0.kernel"?'),
        ("zzz", ""),
    ],
)
def test_a_condition_on_an_unknown_gene_is_told_with_the_nearest_one(
    tmp_path: Path, other: str, hint: str
) -> None:
    training = f"training:\n  lr0: {{int: [1, 2]}}\n  g: {{int: [1, 2], when: {{{other}: 1}}}}"
    rest = REST.replace("kernel: 3, se", "kernel: {choice: [3, 5]}, se")
    (problem,) = problems(tmp_path, training, rest)
    assert problem.startswith("tiny.yaml, training.g.when (line 3): there is no gene")
    assert hint in problem
    assert " ." not in problem


def test_a_gene_cannot_wait_for_itself(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "training:\n  g: {int: [1, 2], when: {g: 1}}")
    assert 'line 2): there is no gene "g" here' in problem


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = problems(
        tmp_path,
        """
sorce: nowhere
training:
  a: {int: [2, 1]}
  b: {choice: []}
  c: {log: [0, 1]}
  d: {float: [0, 1], when: {e: 1}}
""",
        REST.replace("width: 0.5", "widht: 0.5").replace("resolution_px: 16", "resolution_px: -1"),
    )
    places = [re.search(r"yaml, ([\w.]+) \(line (\d+)\)", problem) for problem in found]
    assert [place and place.groups() for place in places] == [
        ("sorce", "1"),
        ("training.a.int", "3"),
        ("training.b.choice", "4"),
        ("training.c.log", "5"),
        ("training.d.when", "6"),
        ("scales.proxy.widht", "9"),
        ("scales.full.resolution_px", "10"),
    ]


def test_a_condition_on_a_gene_with_a_mistake_is_not_a_second_mistake(tmp_path: Path) -> None:
    training = "training:\n  a: {choice: []}\n  b: {int: [1, 2], when: {a: x}}"
    (problem,) = problems(tmp_path, training)
    assert "training.a.choice" in problem


@pytest.mark.parametrize(
    ("scales", "message"),
    [
        ("", "a space has the scales proxy and full"),
        ("scales: {proxy: {resolution_px: 8}}", "a space has the scales proxy and full"),
        ("scales: {proxy: {width: 1}, full: {resolution_px: 8}}", "resolution_px is missing"),
        ("scales: {proxy: 8, full: {resolution_px: 8}}", "scales.proxy"),
        ("scales: {proxy: resolution_px, full: {resolution_px: 8}}", "scales.proxy"),
        ("scales: {proxy: {resolution_px: 8.5}, full: {resolution_px: 8}}", "8.5 is not a number"),
        (
            "scales: {proxy: {resolution_px: 8, width: .inf}, full: {resolution_px: 8}}",
            "scales.proxy.width",
        ),
    ],
)
def test_what_is_no_pair_of_scales_is_told(tmp_path: Path, scales: str, message: str) -> None:
    rest = re.sub(r"(?s)scales:.*?(?=network:)", f"{scales}\n", REST)
    (problem,) = problems(tmp_path, "training: {}", rest)
    assert message in problem


def test_a_repeated_key_is_refused_with_its_second_line(tmp_path: Path) -> None:
    training = "training:\n  lr0: 0.1\n  lr0: 0.2"
    assert problems(tmp_path, training) == [
        'tiny.yaml (line 3): the key "lr0" stands twice. Keep one.'
    ]


def test_what_is_not_yaml_is_refused_with_its_line(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "training:\n  lr0: [1, 2\n  momentum: 3")
    assert re.match(r"tiny.yaml \(line \d\): not YAML: ", problem)


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "title: nothing else\n"])
def test_a_file_without_sections_is_no_space(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text, "") == [
        "tiny.yaml is no search space: it has none of the sections network, training, compression, "
        "values."
    ]


@pytest.mark.parametrize("text", ["training: {lr0: 0.1}", "scales: {}", "training:"])
def test_a_file_without_a_network_is_no_space_by_itself(tmp_path: Path, text: str) -> None:
    assert problems(tmp_path, text, "") == [
        "tiny.yaml has no section network and no section values. Join a space that has one, as in "
        f"space=mobile_cells+{tmp_path}/tiny.yaml."
    ]


def test_a_network_that_is_misspelt_is_told_with_the_right_word(tmp_path: Path) -> None:
    first, second = problems(tmp_path, "", REST.replace("network:", "netwrok:"))
    assert first.startswith(
        'tiny.yaml, netwrok (line 6): there is no such section. Did you mean "n'
    )
    assert second.startswith("tiny.yaml has no section network and no section values.")


def test_an_unknown_space_is_told_with_the_nearest_and_all_known() -> None:
    with pytest.raises(SpaceError) as failure:
        load_space("moble_cells")
    (problem,) = failure.value.problems
    assert problem.startswith(
        'There is no space called "moble_cells". Did you mean "mobile_cells"? Known: '
    )
    assert "nano" in problem


def test_a_name_means_the_users_own_space_before_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shipped = load_space("nano")
    own = tmp_path / "search_spaces"
    own.mkdir()
    (own / "nano.yaml").write_text(f"title: mine\n{REST}", encoding="utf-8")
    (own / "extra.yaml").write_text(f"title: extra\n{REST}", encoding="utf-8")
    assert load_space("nano").title == "mine" != shipped.title
    assert load_space("extra").title == "extra"
    assert {"nano", "mobile_cells", "extra"} <= set(known_spaces())


@pytest.mark.parametrize("path", ["nano.yaml", "./nano.yaml", "{folder}/nano.yaml"])
def test_a_path_means_that_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "nano.yaml").write_text(f"title: mine\n{REST}", encoding="utf-8")
    assert load_space(path.format(folder=tmp_path)).title == "mine"


def test_a_path_to_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match=r"There is no file .*none\.yaml\."):
        load_space(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize("name", ["nano", "mobile_cells"])
def test_a_shipped_space_is_called_like_its_file(name: str) -> None:
    assert load_space(name).name == name
