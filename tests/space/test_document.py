"""Spaces joined of several files, items that stand for several, and the one file a run keeps."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import SPACE, mistakes, problems_of
from hypothesis import given, settings
from hypothesis import strategies as st

from evonas.blueprint import Blueprint
from evonas.driver import resume, search
from evonas.errors import SpaceError
from evonas.runs import load_run
from evonas.space import SearchSpace, known_spaces, load_space
from evonas.space.document import document_of, read_space, space_name, space_parts
from evonas.space.gene import dotted
from evonas.space.load import load_space_file, space_of
from evonas.yaml_file import write_yaml

BASE = f"title: Base\nsource: a book\n{SPACE}training:\n  momentum: 0.9\n"
RECIPE = """\
# the recipe alone
title: Recipe
source: a paper
training:
  lr0: {log: [0.01, 0.5]}
  label_smoothing:
    float: [0, 0.2]
    when: {network.activation: relu6}
  lrf: {choice: [0.1, 0.3], when: {network.stages.0.operation: [conv]}}
"""


@pytest.fixture(autouse=True)
def files(working_folder: Path) -> Path:
    """`base`, a whole space, and `recipe`, which brings training genes only."""
    Path("search_spaces").mkdir()
    Path("search_spaces/base.yaml").write_text(BASE)
    Path("search_spaces/recipe.yaml").write_text(RECIPE)
    return working_folder


def write(name: str, text: str) -> None:
    Path(f"{name}.yaml").write_text(text)


def problems(words: str) -> list[str]:
    return problems_of(load_space, words)


def names(space: SearchSpace) -> list[str]:
    return [gene.name for gene in space.genes]


# Joining


def test_a_joined_space_has_the_genes_and_fixed_values_of_all_parts() -> None:
    space = load_space("base+recipe")
    assert names(space) == [
        "network.activation",
        "network.stages.0.operation",
        "network.stages.0.expansion",
        "network.stages.0.kernel",
        "training.lr0",
        "training.label_smoothing",
        "training.lrf",
    ]
    assert space.template["training"]["momentum"] == 0.9
    assert (space.name, space.title, space.source) == (
        "base+recipe",
        "Base + Recipe",
        "a book; a paper",
    )
    assert space.scales == load_space("base").scales


def test_conditions_reach_across_the_parts_by_full_names() -> None:
    space = load_space("base+recipe")
    conditions = {gene.name: gene.when for gene in space.genes}
    assert conditions["training.label_smoothing"] == (("network.activation", ("relu6",)),)
    assert conditions["training.lrf"] == (("network.stages.0.operation", ("conv",)),)
    calm = space.decode([0, 0, 0, 0, -1, 0.1, 1])
    assert calm.training == {"momentum": 0.9, "lr0": 0.1, "lrf": 0.3}
    wild = space.decode([1, 1, 0, 0, -1, 0.1, 1])
    assert wild.training == {"momentum": 0.9, "lr0": 0.1, "label_smoothing": 0.1}


def test_every_place_names_the_file_and_line_of_its_part() -> None:
    place = load_space("base+recipe").place
    assert place(("network", "stages", 0, "kernel")) == (
        "base.yaml, network.stages.0.kernel (line 13)"
    )
    assert place(("training", "momentum")) == "base.yaml, training.momentum (line 21)"
    assert place(("training", "lr0")) == "recipe.yaml, training.lr0 (line 5)"
    assert place(("training", "label_smoothing", "when")) == (
        "recipe.yaml, training.label_smoothing.when (line 8)"
    )
    assert place(("network", "tail")) == "base.yaml, network (line 6)"


def test_what_is_missing_is_missing_in_the_file_with_the_network() -> None:
    Path("search_spaces/base.yaml").write_text(BASE.replace("scales:", "title_2:"))
    first, second = problems("recipe+./search_spaces/base.yaml")
    assert first.startswith("base.yaml, title_2 (line 3): there is no such section.")
    assert second == "base.yaml, the file (line 1): a space has the scales proxy and full."


def test_the_parts_may_stand_in_any_order_and_be_paths(
    files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(files))
    write("more", "network: {}\n")
    folder = files / "c++"
    folder.mkdir()
    (folder / "deep.yaml").write_text("compression: {bits: 8}\n")
    space = load_space("recipe+~/search_spaces/base.yaml+./c++/deep.yaml")
    assert space.name == "recipe+base+deep"
    assert space.title == "Recipe + Base + deep"
    assert space.template["compression"] == {"bits": 8}
    assert sorted(names(space)) == sorted(names(load_space("base+recipe")))


def test_scales_may_come_from_a_part_of_their_own() -> None:
    head, _, rest = BASE.partition("scales:\n")
    scales, _, network = rest.partition("network:\n")
    write("net", f"{head}network:\n{network}")
    write("small", f"scales:\n{scales}")
    space = load_space("net.yaml+small.yaml")
    assert space.scales == load_space("base").scales


def test_nested_mappings_of_two_parts_merge() -> None:
    write("a", "training: {deep: {x: 1, y: {choice: [1, 2]}}}\n")
    write("b", "training:\n  deep:\n    z: {int: [1, 2], when: {y: 2}}\n")
    space = load_space("base+a.yaml+b.yaml")
    assert space.decode([0, 0, 0, 0, 1, 2]).training["deep"] == {"x": 1, "y": 2, "z": 2}
    assert space.place(("training", "deep", "z")) == "b.yaml, training.deep.z (line 3)"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("training: {lr0: 0.1}", "training:\n\n  lr0: 0.1"),
        ("training: {lr0: 0.1}", "training:\n\n  lr0: {log: [0.1, 1]}"),
        ("training: {lr0: {log: [0.1, 1]}}", "training:\n\n  lr0: {log: [0.1, 1]}"),
        ("training: {lr0: {log: [0.1, 1]}}", "training:\n\n  lr0: {low: 1}"),
        ("training: {lr0: [1, 2]}", "training:\n\n  lr0: [3]"),
    ],
)
def test_a_key_of_two_parts_is_told_with_both_places(first: str, second: str) -> None:
    write("a", first)
    write("b", second)
    assert problems("base+a.yaml+b.yaml") == [
        "training.lr0 stands in a.yaml (line 1) and in b.yaml (line 3). Keep one."
    ]


def test_files_of_the_same_name_are_told_apart_by_their_folders() -> None:
    for folder in ("one", "two"):
        Path(folder).mkdir()
        Path(f"{folder}/mine.yaml").write_text(f"sorce: {folder}\ntraining: {{lr0: 0.1}}\n")
    first, second, third = problems("base+one/mine.yaml+two/mine.yaml")
    assert first.startswith("one/mine.yaml, sorce (line 1): ")
    assert second.startswith("two/mine.yaml, sorce (line 1): ")
    assert third == (
        "training.lr0 stands in one/mine.yaml (line 2) and in two/mine.yaml (line 2). Keep one."
    )


def test_scales_of_two_parts_are_told_even_if_they_differ() -> None:
    write("a", "training: {}\nscales: {half: {resolution_px: 8}}\n")
    assert problems("base+a.yaml") == [
        "scales stands in base.yaml (line 3) and in a.yaml (line 2). Keep one."
    ]


def test_collisions_and_mistakes_of_all_parts_are_told_at_once() -> None:
    write("a", "sorce: me\ntraining:\n  momentum: 0.8\n  lr0: {log: [0, 1]}\n")
    found = problems("base+a.yaml")
    assert found[0].startswith('a.yaml, sorce (line 1): there is no such section. Did you mean "so')
    assert found[1:] == [
        "training.momentum stands in base.yaml (line 21) and in a.yaml (line 3). Keep one.",
        "a.yaml, training.lr0.log (line 4): [0, 1] has no logarithm. Write a low end above 0.",
    ]


@mistakes("""
recipe
    recipe.yaml has no section network and no section values. Join a space that has one,
    space=NAME+recipe: evonas spaces lists them.
recipe+./more.yaml
    recipe.yaml and more.yaml have no section network and no section values. Join a space that has
    one, space=NAME+recipe+./more.yaml: evonas spaces lists them.
base+recipe+./twin.yaml
    base.yaml (line 6) and twin.yaml (line 2) have a section network each. Keep one, as in
    space=base+recipe.
base+
    space=base+ has an empty part. Join names and paths by one plus, as in
    space=mobile_cells+./mine.yaml.
base++recipe
    space=base++recipe has an empty part.
+
    space=+ has an empty part.
base+rezipe
    There is no space called "rezipe". Did you mean "recipe"? Known:
base+./none.yaml
    There is no file none.yaml.
base+~no-such-user/none.yaml
    There is no file ~no-such-user/none.yaml.
base+./list.yaml
    list.yaml is no search space: it has none of the sections network, training, compression,
    values.
""")
def test_what_cannot_be_joined_is_told_with_what_would_be_right(wrong: str, told: str) -> None:
    write("more", "compression: {bits: 8}\n")
    write("twin", f"# the same again\n{BASE[BASE.index('network:') :]}")
    write("list", "- 1\n")
    (problem,) = problems(wrong)
    assert problem.startswith(told)
    assert problem == told or not told.endswith(".yaml.")


def test_all_parts_that_are_missing_are_told_at_once() -> None:
    found = problems("bas+rezipe+./none.yaml")
    assert [problem[:30] for problem in found] == [
        'There is no space called "bas"',
        'There is no space called "rezi',
        "There is no file none.yaml.",
    ]


@pytest.mark.parametrize(
    ("words", "parts", "name"),
    [
        ("nano", ["nano"], "nano"),
        ("nano+v2.1", ["nano", "v2.1"], "nano+v2.1"),
        ("./a.yaml+b", ["./a.yaml", "b"], "a+b"),
        ("a+./c++/b.yaml+d.yaml", ["a", "./c++/b.yaml", "d.yaml"], "a+b+d"),
        ("./a+b", ["./a", "b"], "a+b"),
    ],
)
def test_words_part_at_their_pluses(words: str, parts: list[str], name: str) -> None:
    assert space_parts(words) == parts
    assert space_name(words) == name


# Repeating


def test_an_item_with_repeat_stands_for_copies_with_their_own_genes() -> None:
    text = BASE.replace("    - operation", "    - repeat: 3\n      operation")
    Path("mine.yaml").write_text(text.replace("  head:", LAST_STAGE + "  head:"))
    space = load_space("mine.yaml")
    assert [name for name in names(space) if name.endswith("kernel")] == [
        f"network.stages.{index}.kernel" for index in range(4)
    ]
    conditions = {gene.name: gene.when for gene in space.genes}
    for index in range(3):
        operation = f"network.stages.{index}.operation"
        wanted = ((operation, ("inverted_residual",)),)
        assert conditions[f"network.stages.{index}.expansion"] == wanted
        assert space.place(("network", "stages", index, "kernel")) == (
            f"mine.yaml, network.stages.{index}.kernel (line 14)"
        )
        assert space.place(("network", "stages", index)) == (
            f"mine.yaml, network.stages.{index} (line 11)"
        )
    assert space.place(("network", "stages", 3, "kernel")) == (
        "mine.yaml, network.stages.3.kernel (line 20)"
    )
    kernels = [name.endswith("kernel") for name in names(space)]
    stages = space.decode([1.0 if kernel else 0.0 for kernel in kernels]).network["stages"]
    assert [stage["kernel"] for stage in stages] == [5, 5, 5, 7]
    assert all("repeat" not in stage for stage in stages)


LAST_STAGE = (
    "    - {operation: conv, kernel: {choice: [3, 7]}, se_ratio: 0, skip: none, channels: 8,\n"
    "       layers: 1, stride: 1}\n"
)

ITEM = st.fixed_dictionaries(
    {"kernel": st.sampled_from([3, {"choice": [3, 5]}, {"int": [1, 4]}])},
    optional={"inner": st.lists(st.fixed_dictionaries({"repeat": st.integers(1, 3)}), max_size=2)},
)
COUNTS = st.none() | st.integers(1, 4)


def written_out(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The items as somebody without `repeat` would write them."""
    found = []
    for item in items:
        plain = {key: value for key, value in item.items() if key != "repeat"}
        if "inner" in plain:
            plain["inner"] = written_out(plain["inner"])
        found += [plain] * item.get("repeat", 1)
    return found


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.lists(st.tuples(COUNTS, ITEM), max_size=4))
def test_repeated_items_mean_what_copies_written_by_hand_mean(
    drawn: list[tuple[int | None, dict[str, Any]]],
) -> None:
    items = [item if count is None else {**item, "repeat": count} for count, item in drawn]
    base = yaml.safe_load(BASE)
    short, long = Path("short.yaml"), Path("long.yaml")
    write_yaml(short, {**base, "training": {"blocks": items}})
    write_yaml(long, {**base, "training": {"blocks": written_out(items)}})
    assert load_space_file(short).fingerprint == load_space_file(long).fingerprint
    assert names(load_space_file(short)) == names(load_space_file(long))


@pytest.mark.parametrize("count", ["0", "-1", "2.0", "true", "two", "[2]", "", "{int: [1, 2]}"])
def test_a_repeat_that_is_no_count_is_told_with_its_line(count: str) -> None:
    write("mine", f"training:\n  blocks:\n    - x: 1\n    - x: 2\n      repeat: {count}\n")
    value = yaml.safe_load(f"x: {count}")["x"]
    assert problems("base+mine.yaml") == [
        f"mine.yaml, training.blocks.1.repeat (line 5): {value} is no number of copies. "
        "Write a whole number of at least 1."
    ]


@pytest.mark.parametrize(
    ("items", "place"),
    [
        ("[{x: 1, repeat: 18446744073709551615}]", 0),
        ("[{repeat: 2000, y: [{repeat: 2000, z: 1}]}]", 0),
        ("[{x: 1}, {repeat: 60000, x: 1}, {repeat: 60000, x: 1}]", 2),
    ],
)
def test_more_copies_than_a_space_may_hold_are_refused_before_they_are_made(
    items: str, place: int
) -> None:
    write("mine", f"training:\n  blocks: {items}\n")
    assert problems("base+mine.yaml") == [
        f"mine.yaml, training.blocks.{place}.repeat (line 2): with what repeat copies there are "
        "more than 200,000 values. Write less."
    ]


def test_genes_in_lists_may_be_repeated_and_repeat_means_nothing_elsewhere() -> None:
    write("mine", "training: {repeat: 3, deep: {repeat: 2}, list: [[{repeat: 2, x: 1}]]}\n")
    write("genes", "training: {drops: [0.1, {repeat: 2, float: [0, 1]}]}\n")
    space = load_space("base+mine.yaml+genes.yaml")
    assert names(space)[-2:] == ["training.drops.1", "training.drops.2"]
    training = space.template["training"]
    assert training["repeat"] == 3
    assert training["deep"] == {"repeat": 2}
    assert training["list"] == [[{"x": 1}, {"x": 1}]]


# Keeping


def kept_and_loaded(words: str) -> tuple[SearchSpace, SearchSpace]:
    document = read_space(words)
    write_yaml(Path("kept.yaml"), document.values)
    return space_of(document), load_space_file(Path("kept.yaml"), document.name)


@pytest.mark.parametrize("words", [*sorted(known_spaces()), "base+recipe", "nano+recipe"])
def test_the_one_file_that_a_run_keeps_makes_the_same_space(words: str) -> None:
    space, again = kept_and_loaded(words)
    assert again.fingerprint == space.fingerprint
    assert again.genes == space.genes
    assert (again.name, again.title, again.source) == (space.name, space.title, space.source)
    assert again.scales == space.scales


PLAIN = (
    st.booleans()
    | st.none()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(
        ["1e-4", "0x1f", "yes", "null", "~", "1_000", "=", "<<", "2024-01-01", "", "é"]
    )
)
GENE = (
    st.lists(PLAIN, min_size=1, max_size=4, unique_by=lambda allele: (type(allele), str(allele)))
    .map(lambda alleles: {"choice": alleles})
    .filter(lambda gene: len({(type(a), a) for a in gene["choice"]}) == len(gene["choice"]))
)
KEYS = st.sampled_from(["a", "b", "on", "1", "repeat", "<<"])
TRAINING = st.dictionaries(KEYS, PLAIN | GENE | st.dictionaries(KEYS, PLAIN | GENE, max_size=3))


@settings(deadline=None, derandomize=True, max_examples=60)
@given(TRAINING)
def test_whatever_is_written_is_kept(training: dict[str, Any]) -> None:
    write_yaml(Path("mine.yaml"), {"training": training})
    space, again = kept_and_loaded("base+mine.yaml")
    assert again.fingerprint == space.fingerprint
    assert again.genes == space.genes


@settings(deadline=None, derandomize=True, max_examples=60)
@given(TRAINING, TRAINING)
def test_parts_merge_or_every_collision_is_told(
    first: dict[str, Any], second: dict[str, Any]
) -> None:
    base = yaml.safe_load(BASE)
    write_yaml(Path("a.yaml"), {**base, "training": first})
    write_yaml(Path("b.yaml"), {"training": second})
    merged, collisions = merged_by_hand(first, second, ("training",))
    try:
        space = load_space("a.yaml+b.yaml")
    except SpaceError as error:
        told = [problem.partition(" stands in a.yaml")[0] for problem in error.problems]
        assert told == collisions
        return
    assert collisions == []
    assert space.template["training"] == merged


def merged_by_hand(
    first: dict[str, Any], second: dict[str, Any], path: tuple[str, ...]
) -> tuple[dict[str, Any], list[str]]:
    merged, collisions = {**first}, []
    for key, value in second.items():
        own = first.get(key, value)
        groups = all(isinstance(v, dict) and "choice" not in v for v in (own, value))
        if key in first and groups:
            merged[key], inner = merged_by_hand(own, value, (*path, key))
            collisions += inner
        elif key in first:
            collisions.append(dotted((*path, key)))
        else:
            merged[key] = value
    return merged, collisions


# Running


def toy(blueprint: Blueprint) -> dict[str, float]:
    kernels = [stage["kernel"] for stage in blueprint.network["stages"]]
    return {"score": sum(kernels) - blueprint.training["lr0"], "cost": float(len(kernels))}


WORDS = {"objectives": ["score:max", "cost:min"], "executor": {"name": "inline"}, "display": "none"}


def test_a_run_over_a_joined_space_goes_on_without_its_files() -> None:
    words = {**WORDS, "space": "base+./search_spaces/recipe.yaml"}
    whole = search({**words, "budget": {"evaluations": 9}}, toy)
    run = search({**words, "budget": {"evaluations": 5}}, toy)
    assert run.name.startswith("base-recipe-20")
    Path("search_spaces/base.yaml").write_text("changed: beyond repair")
    Path("search_spaces/recipe.yaml").unlink()
    again = resume(run.folder, ["budget.evaluations=9"], toy)
    assert again.records.evaluations == 9
    assert again.space.name == "base+recipe"
    assert again.settings.space == f"base+{Path.cwd()}/search_spaces/recipe.yaml"
    assert [t.chromosome for t, _ in again.trials()] == [t.chromosome for t, _ in whole.trials()]
    moved = Path("c++ & more")
    shutil.move(run.folder, moved)
    assert load_run(moved).space.title == "Base + Recipe"
    assert resume(moved, ["budget.evaluations=10"], toy).records.evaluations == 10


@pytest.mark.parametrize(
    ("file", "start"),
    [("mine.yaml", "mine-20"), ("my space (1).yaml", "my-space-1-20"), ("é.yaml", "run-20")],
)
def test_a_run_has_a_plain_name_whatever_its_space_is_called(file: str, start: str) -> None:
    Path(file).write_text(BASE + "  lr0: 0.1\n")
    run = search({**WORDS, "space": f"./{file}", "budget": {"evaluations": 1}}, toy)
    assert run.name.startswith(start)


def test_values_that_are_deeper_than_a_file_may_be_are_refused() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(SpaceError, match="odd, values: more than 100 lists and mappings"):
        document_of({"values": {"x": deep}}, "odd")
