import re
from pathlib import Path

import pytest
from conftest import FIXED, mistakes, problems_of

from evonas.space import SearchSpace, known_spaces, load_space
from evonas.space.load import load_space_file

REST = f"\n{FIXED}"


def load(training: str, rest: str = REST) -> SearchSpace:
    """A space file whose genes stand in its first lines."""
    Path("tiny.yaml").write_text(f"{training.strip()}\n{rest}", encoding="utf-8")
    return load_space_file(Path("tiny.yaml"))


def problems(training: str, rest: str = REST) -> list[str]:
    return problems_of(load, training, rest)


def test_a_gene_stands_where_its_allele_will_stand() -> None:
    space = load("training: {lr0: {log: [1e-3, 1]}, deep: {epochs: {int: [1, 9]}}}")
    assert [gene.name for gene in space.genes] == ["training.lr0", "training.deep.epochs"]
    assert space.decode([-1, 4]).training == {"lr0": 0.1, "deep": {"epochs": 4}}


def test_scales_title_and_name_come_from_the_file() -> None:
    space = load("title: A tiny space\nsource: a paper")
    assert (space.name, space.title, space.source) == ("tiny", "A tiny space", "a paper")
    untitled = load("title:")
    assert (untitled.name, untitled.title, untitled.source) == ("tiny", "tiny", "")
    assert space.scales["proxy"].width == 0.5
    assert space.scales["full"].input_shape == (3, 32, 32)


def test_a_gene_may_stand_before_the_gene_it_waits_for() -> None:
    space = load(
        """
training:
  momentum: {float: [0, 1], when: {optimizer: sgd}}
  optimizer: {choice: [adam, sgd]}
""",
    )
    assert [gene.name for gene in space.genes] == ["training.optimizer", "training.momentum"]
    assert space.decode([0, 0.5]).training == {"optimizer": "adam"}
    assert space.decode([1, 0.5]).training == {"optimizer": "sgd", "momentum": 0.5}


def test_a_condition_means_the_gene_in_the_nearest_scope() -> None:
    space = load(
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


def test_a_full_name_means_the_same_gene_from_anywhere() -> None:
    space = load(
        """
training:
  mode: {choice: [a, b]}
  deep: {mode: {choice: [c, d]}, far: {mode: {choice: [e, f], when: {training.mode: a}}}}
  list: [{x: {choice: [1, 2], when: {training.list.1.x: 2}}}, {x: {choice: [1, 2]}}]
""",
        REST.replace("kernel: 3\n", "kernel: {choice: [3, 5], when: {training.mode: b}}\n"),
    )
    conditions = {gene.name: gene.when for gene in space.genes if gene.when}
    assert conditions == {
        "network.stages.0.kernel": (("training.mode", ("b",)),),
        "training.deep.far.mode": (("training.mode", ("a",)),),
        "training.list.0.x": (("training.list.1.x", (2,)),),
    }


def test_conditions_tell_alleles_of_different_types_apart() -> None:
    space = load(
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


def test_a_condition_on_a_real_number_takes_it_as_the_gene_has_it() -> None:
    space = load(
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


@mistakes("""
training: {g: {choice: [1, 2], int: [1, 2]}}
    training.g (line 1): a gene has one kind and maybe when, got choice, int.
training: {g: {choice: [1, 2], default: 1}}
    training.g (line 1): a gene has one kind and maybe when, got choice, default.
training: {log: csv}
    training (line 1): a section holds keys, and here log makes a gene of it. Leave that out, or
    put it behind the key that it is for.
training: {g: {float: [2, 2]}}
    training.g.float (line 1): [2, 2] is empty: the low end must be below the high end.
training: {g: {int: 4}}
    training.g.int (line 1): 4 is not a range. Write [low, high].
training: {g: {choice: [3, 5, 3]}}
    training.g.choice (line 1): [3, 5, 3] has an allele twice.
training: {g: [{choice: [1, 2], when: {h: 1}}], h: {int: [1, 2]}}
    training.g.0 (line 1): an item of a list cannot vanish, so it takes no when.
training: {g: {int: [1, 2], when: h}, h: {int: [1, 2]}}
    training.g.when (line 1): write when: {other_gene: allele}.
training: {g: {int: [1, 2], when: {h: 3}}, h: {int: [1, 2]}}
    training.g.when (line 1): training.h: 3 is not between 1 and 2.
training: {a: {int: [1, 2], when: {b: 1}}, b: {int: [1, 2], when: {a: 1}}}
    training.a (line 1): the conditions of training.a, training.b wait for each other.
trainig: {lr0: 1}
    trainig (line 1): there is no such section. Did you mean "training"? Known: title, source,
    scales, network, training, compression, values.
training: {a: {choice: [x, y]}, g: {int: [1, 2], when: {a: x, training.a: y}}}
    training.g (line 1): this gene can never be active: tiny.yaml, training.g.when (line 1) asks
    for training.a x and tiny.yaml, training.g.when (line 1) asks for training.a y. Change one of
    these conditions, or leave the gene out.
training: fast
    training (line 1): a section holds keys with values.
training: {a: {choice: []}, b: {int: [1, 2], when: {a: x}}}
    training.a.choice (line 1): [] is not a list of alleles. Write for example choice: [3, 5].
""")
def test_a_mistake_is_told_with_file_key_line_and_way_out(wrong: str, told: str) -> None:
    assert problems(wrong) == [f"tiny.yaml, {told}"]


def test_conditions_of_several_genes_that_exclude_each_other_are_told_with_their_lines() -> None:
    training = """
training:
  a: {choice: [1, 2, true]}
  b: {int: [1, 2], when: {a: [1, 2]}}
  c: {int: [1, 2], when: {b: 1}}
  d:
    int: [1, 2]
    when: {c: 2, a: true}
  e: {int: [1, 2], when: {d: 1}}
"""
    assert problems(training) == [
        "tiny.yaml, training.d (line 5): this gene can never be active: "
        "tiny.yaml, training.b.when (line 3) asks for training.a 1 or 2 and "
        "tiny.yaml, training.d.when (line 7) asks for training.a True. "
        "Change one of these conditions, or leave the gene out."
    ]


@pytest.mark.parametrize(
    ("other", "hint"),
    [
        ("training.lr", 'lr0"?'),
        ("lr", 'lr0"?'),
        ("g", ""),
        ("kernel", 'Did you mean "network.stages.0.kernel"?'),
        ("zzz", ""),
    ],
)
def test_a_condition_on_an_unknown_gene_is_told_with_the_nearest_one(other: str, hint: str) -> None:
    training = f"training:\n  lr0: {{int: [1, 2]}}\n  g: {{int: [1, 2], when: {{{other}: 1}}}}"
    rest = REST.replace("kernel: 3\n", "kernel: {choice: [3, 5]}\n")
    (problem,) = problems(training, rest)
    assert problem.startswith("tiny.yaml, training.g.when (line 3): there is no gene")
    assert hint in problem
    assert " ." not in problem


def test_all_mistakes_are_told_at_once() -> None:
    found = problems(
        """
sorce: nowhere
training:
  a: {int: [2, 1]}
  b: {choice: []}
  c: {log: [0, 1]}
  d: {float: [0, 1], when: {e: 1}}
""",
        REST.replace("width: 0.5", "widht: 0.5").replace("resolution_px: 32", "resolution_px: -1"),
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


@mistakes("""
{}
    a space has the scales proxy and full
{proxy: {resolution_px: 8}}
    a space has the scales proxy and full
{proxy: {width: 1}, full: {resolution_px: 8}}
    resolution_px is missing
{proxy: 8, full: {resolution_px: 8}}
    scales.proxy
{proxy: resolution_px, full: {resolution_px: 8}}
    scales.proxy
{proxy: {resolution_px: 8.5}, full: {resolution_px: 8}}
    8.5 is not a number
{proxy: {resolution_px: 8, width: .inf}, full: {resolution_px: 8}}
    scales.proxy.width
""")
def test_what_is_no_pair_of_scales_is_told(wrong: str, told: str) -> None:
    rest = re.sub(r"(?s)scales:.*?(?=network:)", f"scales: {wrong}\n", REST)
    (problem,) = problems("training: {}", rest)
    assert told in problem


def test_a_repeated_key_is_refused_with_its_second_line() -> None:
    training = "training:\n  lr0: 0.1\n  lr0: 0.2"
    assert problems(training) == ['tiny.yaml (line 3): the key "lr0" stands twice. Keep one.']


def test_what_is_not_yaml_is_refused_with_its_line() -> None:
    (problem,) = problems("training:\n  lr0: [1, 2\n  momentum: 3")
    assert re.match(r"tiny.yaml \(line \d\): not YAML: ", problem)


@pytest.mark.parametrize("text", ["", "- 1\n- 2\n", "title: nothing else\n"])
def test_a_file_without_sections_is_no_space(text: str) -> None:
    assert problems(text, "") == [
        "tiny.yaml is no search space: it has none of the sections network, training, compression, "
        "values."
    ]


@pytest.mark.parametrize("text", ["training: {lr0: 0.1}", "scales: {}", "training:"])
def test_a_file_without_a_network_is_no_space_by_itself(text: str) -> None:
    assert problems(text, "") == [
        "tiny.yaml has no section network and no section values. Join a space that has one, "
        "space=NAME+tiny.yaml: evonas spaces lists them."
    ]


def test_a_network_that_is_misspelt_is_told_with_the_right_word() -> None:
    first, second = problems("", REST.replace("network:", "netwrok:"))
    assert first.startswith(
        'tiny.yaml, netwrok (line 6): there is no such section. Did you mean "n'
    )
    assert second.startswith("tiny.yaml has no section network and no section values.")


def test_an_unknown_space_is_told_with_the_nearest_and_all_known() -> None:
    (problem,) = problems_of(load_space, "moble_cells")
    assert problem.startswith(
        'There is no space called "moble_cells". Did you mean "mobile_cells"? Known: '
    )
    assert "nano" in problem


def test_a_name_means_the_users_own_space_before_the_shipped_one() -> None:
    shipped = load_space("nano")
    Path("search_spaces").mkdir()
    for name in ("nano", "extra"):
        Path(f"search_spaces/{name}.yaml").write_text(f"title: my {name}\n{REST}")
    assert load_space("nano").title == "my nano" != shipped.title
    assert load_space("extra").title == "my extra"
    assert {"nano", "mobile_cells", "extra"} <= set(known_spaces())


@pytest.mark.parametrize("path", ["nano.yaml", "./nano.yaml", "{folder}/nano.yaml"])
def test_a_path_means_that_file_alone(working_folder: Path, path: str) -> None:
    Path("nano.yaml").write_text(f"title: mine\n{REST}")
    assert load_space(path.format(folder=working_folder)).title == "mine"


def test_a_path_to_nothing_is_told(tmp_path: Path) -> None:
    assert problems_of(load_space, str(tmp_path / "none.yaml"))[0].startswith(
        f"There is no file {tmp_path}/none.yaml."
    )
