"""Every mistake in a suite is found at once, at its place, with what to write instead."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grokbench.errors import SuiteError
from grokbench.suite import parse_suite

DOUBLES = Path(__file__).with_name("doubles.py")

ONE_MISTAKE = {
    "an unknown key of the suite": (
        "title = ", "titel = ", "titel: unknown key; did you mean 'title'?"
    ),
    "an unknown key of a recipe": (
        "steps = 60", "steps = 60\nstep = 3", "recipes.small.step: unknown key; did you mean 'steps'?"
    ),
    "an unknown key of an experiment": (
        "seeds = 5", "seeds = 5\nseed = 1", "experiments.alone.seed: unknown key; did you mean 'seeds'?"
    ),
    "an unknown key of a claim": (
        "source =", "sauce =", "claims.seen.sauce: unknown key; did you mean 'source'?"
    ),
    "an unknown recipe": (
        'recipe = "small"', 'recipe = "smal"',
        "experiments.alone.recipe: there is no recipe 'smal'; did you mean 'small'?",
    ),
    "an unknown recipe to start from": (
        'from = "small"', 'from = "smal"',
        "experiments.swept.recipe.from: there is no recipe 'smal'; did you mean 'small'?",
    ),
    "an unknown task": (
        '"counting", limit', '"countin", limit',
        "experiments.alone.task.name: there is no task 'countin'; did you mean 'counting'?",
    ),
    "an unknown architecture": (
        'architecture = "even"', 'architecture = "evem"',
        "experiments.alone.architecture: there is no architecture 'evem'; did you mean 'even'?",
    ),
    "an unknown optimizer in a list": (
        '["drift", "sgd"]', '["sgd", "dirft"]',
        "experiments.swept.recipe.optimizer[1]: there is no optimizer 'dirft'; did you mean 'drift'?",
    ),
    "an unknown detector": (
        'detector = "compare"', 'detector = "compair"',
        "claims.compared.detector: there is no detector 'compair'; did you mean 'compare'?",
    ),
    "an unknown experiment": (
        'experiment = "alone"', 'experiment = "alnoe"',
        "claims.seen.experiment: there is no experiment 'alnoe'; did you mean 'alone'?",
    ),
    "an unknown experiment in a role": (
        'left = "alone"', 'left = "alnoe"',
        "claims.compared.experiments.left: there is no experiment 'alnoe'; did you mean 'alone'?",
    ),
    "an unknown experiment, the one with the dimensions that are selected": (
        'right = "swept"', 'right = "swpet"',
        "claims.compared.experiments.right: there is no experiment 'swpet'; did you mean 'swept'?",
    ),
    "an unknown option of a task": (
        "limit = 50", "limits = 50",
        "experiments.alone.task.limits: unknown key; did you mean 'limit'?",
    ),
    "an option out of range": (
        "limit = 50", "limit = 0",
        "experiments.alone.task.limit: should be greater than or equal to 1, not 0",
    ),
    "an option of an optimizer": (
        "speed = 2", 'speed = "high"',
        "recipes.small.optimizer.speed: should be a valid number, "
        "unable to parse string as a number, not 'high'",
    ),
    "an option of a detector": (
        "patience = 2", "patience = -1",
        "claims.seen.detector.patience: should be greater than 0, not -1",
    ),
    "an option within a list": (
        "limit = 50", 'limit = 50, weights = [1, "x"]',
        "experiments.alone.task.weights[1]: should be a valid number, "
        "unable to parse string as a number, not 'x'",
    ),
    "an option that is not finite": (
        "speed = 2", "speed = inf",
        "recipes.small.optimizer: drift refuses these options: "
        "ValueError: Out of range float values are not JSON compliant",
    ),
    "a table without a name": (
        'name = "counting", limit = 50', "limit = 50", "experiments.alone.task.name: is missing"
    ),
    "a number for a task": (
        'task = "counting"', "task = 3",
        "experiments.swept.task: write a name, or a table { … }, not 3",
    ),
    "a negative learning rate": (
        "= 3e-3", "= -3e-3", "recipes.small.learning_rate: should be greater than 0, not -0.003"
    ),
    "a negative value among swept ones": (
        "[1e-3, 1]", "[1e-3, -1]",
        "experiments.swept.recipe.learning_rate[1]: should be greater than 0, not -1",
    ),
    "a swept value twice": (
        "[1e-3, 1]", "[1e-3, 0.001]",
        "experiments.swept.recipe.learning_rate[1]: "
        "is the same as experiments.swept.recipe.learning_rate[0]",
    ),
    "two swept values with one label": (
        "[1e-3, 1]", "[1e-3, 0.0010000000000000002]",
        "experiments.swept.recipe.learning_rate[1]: differs from "
        "experiments.swept.recipe.learning_rate[0] only beyond the 12th digit",
    ),
    "a name that is too long for a file": (
        "title =", f'name = "{"n" * 201}"\ntitle =',
        "name: 'nnnnnnnnnnnnnnnnnnnn…nnnnnnnn' has 201 characters; a name has at most 200",
    ),
    "no swept value": (
        "[1e-3, 1]", "[]",
        "experiments.swept.recipe.learning_rate: is too short; list one value or more",
    ),
    "steps that are no whole number": (
        "steps = 60", "steps = 6e1", "recipes.small.steps: should be a valid integer, not 60.0"
    ),
    "a number written as text": (
        "steps = 60", 'steps = "60"', "recipes.small.steps: should be a valid integer, not '60'"
    ),
    "an unknown precision": (
        "steps = 60", 'steps = 60\nprecision = "half"',
        "recipes.small.precision: should be 'float32', 'float64', 'tf32' or 'bfloat16', not 'half'",
    ),
    "a norm that is no way to hold one": (
        "steps = 60", 'steps = 60\nnorm = 2.0',
        "recipes.small.norm: should be 'free' or 'initial', not 2.0",
    ),
    "a batch of no examples": (
        "steps = 60", "steps = 60\nbatch_size = 0",
        "recipes.small.batch_size: should be greater than or equal to 1, not 0",
    ),
    "a batch that is no number": (
        "steps = 60", 'steps = 60\nbatch_size = "all"',
        "recipes.small.batch_size: should be a valid integer, not 'all'",
    ),
    "a recipe that leaves out its steps": (
        "steps = 60\n", "",
        "experiments.alone.recipe.steps: is missing; write steps = … here or in recipes.small",
        "experiments.swept.recipe.steps: is missing; write steps = … here or in recipes.small",
    ),
    "a model size that is none": (
        '"2x64"', '"64x"',
        "experiments.alone.model_sizes[2]: a model size is a hidden size such as 64, "
        'or "8x1024" for eight layers, not \'64x\'',
    ),
    "the same model size in two spellings": (
        '"2x64"', '"1x8"',
        "experiments.alone.model_sizes[2]: is the same as experiments.alone.model_sizes[1]",
        "claims.seen.where.model_size[1]: 'alone' has no model_size '2x64'; it has 4, 8",
    ),
    "a data size twice": (
        "[10, 20]", "[10, 20, 10]",
        "experiments.alone.data_sizes[2]: is the same as experiments.alone.data_sizes[0]",
    ),
    "a seed twice": (
        "[7, 3]", "[3, 3]", "experiments.swept.seeds[1]: is the same as experiments.swept.seeds[0]"
    ),
    "a negative seed": (
        "[7, 3]", "[7, -3]",
        "experiments.swept.seeds[1]: should be greater than or equal to 0, not -3",
    ),
    "no seeds": (
        "seeds = 5", "seeds = 0",
        "experiments.alone.seeds: write how many seeds, 1 to 100000, or list them, not 0",
    ),
    "seeds as text": (
        "seeds = 5", 'seeds = "5"',
        "experiments.alone.seeds: write how many seeds, 1 to 100000, or list them, not '5'",
    ),
    "one data size, not in a list": (
        "data_sizes = [10]", "data_sizes = 10",
        "experiments.swept.data_sizes: should be a list, not 10; write [10]",
    ),
    "no data sizes": (
        "data_sizes = [10]", "data_sizes = []",
        "experiments.swept.data_sizes: is too short; list one value or more",
    ),
    "model sizes left out": (
        'model_sizes = [4, 8, "2x64"]\n', "", "experiments.alone.model_sizes: is missing"
    ),
    "a data size that the task refuses": (
        "[10, 20]", "[10, 51]",
        "experiments.alone.data_sizes[1]: there are 50 numbers; write 1 to 50",
    ),
    "a model size that the architecture refuses": (
        "[4, 8,", "[4, 8, 7,",
        "experiments.alone.model_sizes[2]: 7 is odd; write an even one",
    ),
    "a task that the architecture refuses, said once": (
        '"counting", limit', '"two_parts", limit',
        "experiments.alone.architecture: even takes tasks of one part",
    ),
    "a task that raises an error": (
        '"counting", limit', '"faulty", limit',
        "experiments.alone.task: faulty raised an error when asked: ZeroDivisionError: "
        "no size at all (doubles.py, line ",
    ),
    "a selected value that is not in the grid": (
        "data_size = 10,", "data_size = 11,",
        "claims.seen.where.data_size: 'alone' has no data_size 11; it has 10, 20",
    ),
    "a selected size that is not in the grid": (
        '[8, "2x64"] }', '[8, "3x64"] }',
        "claims.seen.where.model_size[1]: 'alone' has no model_size '3x64'; it has 4, 8, 2x64",
    ),
    "a selected value twice": (
        '[8, "2x64"] }', '[8, "1x8"] }',
        "claims.seen.where.model_size[1]: is the same as claims.seen.where.model_size[0]",
    ),
    "nothing selected": (
        '[8, "2x64"] }', "[] }",
        "claims.seen.where.model_size: selects nothing; list one value or more",
    ),
    "true for one": (
        '[8, "2x64"] }', '[8, "2x64"], seed = true }',
        "claims.seen.where.seed: 'alone' has no seed true; it has 0, 1, 2, 3, 4",
    ),
    "a dimension that the grid has not": (
        "where = { data_size", "where = { datasize",
        "claims.seen.where.datasize: is not a dimension of 'alone'; did you mean 'data_size'?",
    ),
    "a field that is not swept": (
        "where = { data_size = 10", "where = { weight_decay = 1",
        "claims.seen.where.weight_decay: is not a dimension of 'alone'; "
        "known: data_size, model_size, seed",
    ),
    "a role missing and one too many": (
        "{ left =", "{ lfet =",
        "claims.compared.experiments.lfet: is not a role of the detector; did you mean 'left'?",
        "claims.compared.experiments.left: is missing; name the experiment that plays this role",
    ),
    "one experiment for two roles": (
        'experiments = { left = "alone", right = "swept" }', 'experiment = "alone"',
        "claims.compared.experiment: is not enough for this detector; "
        "write experiments = { left = …, right = … }",
    ),
    "no experiment": (
        'experiment = "alone"\nwhere = { data_size = 10, model_size = [8, "2x64"] }', "",
        "claims.seen.experiment: is missing; write experiment = '…'",
    ),
    "both experiment and experiments": (
        'experiment = "alone"', 'experiment = "alone"\nexperiments = { experiment = "alone" }',
        "claims.seen.experiment: write either experiment or experiments, not both",
    ),
    "a rule with two sides": (
        "{ at_most = 1 }", "{ at_most = 1, at_least = 0 }",
        "claims.compared.rule: write either { at_least = … } or { at_most = … }",
    ),
    "a rule with none": (
        "{ at_most = 1 }", "{ }",
        "claims.compared.rule: write either { at_least = … } or { at_most = … }",
    ),
    "a rule without a side": (
        "{ at_most = 1 }", "1",
        "claims.compared.rule: write either { at_least = … } or { at_most = … }, not 1",
    ),
    "a rule that is no number": (
        "{ at_most = 1 }", "{ at_most = nan }",
        "claims.compared.rule.at_most: should be a finite number, not nan",
    ),
    "a claim without a statement": (
        'statement = "Something is seen"\n', "", "claims.seen.statement: is missing"
    ),
    "a number of seeds below one": (
        "minimum_seeds = 3", "minimum_seeds = 0",
        "claims.compared.minimum_seeds: should be greater than or equal to 1, not 0",
    ),
    "an outcome that nobody can expect": (
        "minimum_seeds = 3", 'minimum_seeds = 3\nexpect = "failed"',
        "claims.compared.expect: should be 'reproduced', 'not reproduced', 'undecided', "
        "'out of reach' or 'too close to call', not 'failed'",
    ),
    "a name that no folder could have": (
        "title =", 'name = "../quick"\ntitle =',
        "name: '../quick' cannot be a name; use only letters, digits, '_' and '-'",
    ),
    "a plugin that is not there": (
        "title =", 'plugins = ["nowhere.py"]\ntitle =',
        "plugins[0]: is not loaded, because the text of a suite is in no folder",
    ),
    "a table that is none": (
        "[recipes.small]", "[recipes]\nother = 3\n[recipes.small]",
        "recipes.other: should be a table, not 3",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", ONE_MISTAKE)
def test_a_mistake_is_said_at_its_place_and_nothing_else_is(case, mistakes):
    old, new, *expected = ONE_MISTAKE[case]
    found = mistakes(old, new)
    assert len(expected) == len(found), found
    for text, mistake in zip(expected, found, strict=True):
        assert mistake.startswith(text), mistake


def test_the_valid_suite_has_no_mistakes(mistakes):
    assert [] == mistakes()


def test_an_empty_file_has_nothing_to_run():
    with pytest.raises(SuiteError, match="experiments: is missing"):
        parse_suite("", "empty.toml")


def test_an_empty_table_of_experiments_has_nothing_to_run():
    with pytest.raises(SuiteError, match="nothing to run"):
        parse_suite("[experiments]", "empty.toml")


def test_mistakes_of_form_do_not_hide_mistakes_of_meaning(mistakes):
    """A wrong element is left out, and the others are still asked about."""
    found = mistakes(
        "[10, 20]", '[10, "20"]',
        "data_sizes = [10]", "data_sizes = [0, 101]",
        '[4, 8, "2x64"]', '[4, -8, 7, "2x64"]',
        "[1e-3, 1]", "[-1, 1e-3, 1e-3]",
        "patience = 2", "patience = 0, x = 1",
    )  # fmt: skip
    assert [
        "experiments.alone.model_sizes[1]",
        "experiments.alone.model_sizes[2]",
        "experiments.alone.data_sizes[1]",
        "experiments.swept.recipe.learning_rate[0]",
        "experiments.swept.recipe.learning_rate[2]",
        "experiments.swept.data_sizes[0]",
        "experiments.swept.data_sizes[1]",
        "claims.seen.detector.patience",
        "claims.seen.detector.x",
    ] == [mistake.split(":")[0] for mistake in found]


def test_a_claim_is_not_blamed_for_a_mistake_in_its_experiment(mistakes):
    found = mistakes("data_sizes = [10, 20]", 'data_sizes = ["10", 20]', "[1e-3, 1]", "[1e-2, 0]")
    assert ["experiments.alone.data_sizes[0]", "experiments.swept.recipe.learning_rate[1]"] == [
        mistake.split(":")[0] for mistake in found
    ]


def test_an_unused_recipe_is_checked_too(mistakes):
    found = mistakes(
        "[experiments.alone]", '[recipes.spare]\noptimizer = "drif"\n[experiments.alone]'
    )
    assert ["recipes.spare.optimizer: there is no optimizer 'drif'; did you mean 'drift'?"] == found


def test_mistakes_come_in_the_order_of_the_file(mistakes):
    found = mistakes(
        "rule = { at_most = 1 }", "rule = 3",
        "seeds = [7, 3]", "seeds = []",
        "steps = 60", "steps = 0",
        "limit = 50", 'limit = 50, weights = ["x", 1], other = 1',
        "title =", "titel =",
    )  # fmt: skip
    assert [
        "titel",
        "recipes.small.steps",
        "experiments.alone.task.weights[0]",
        "experiments.alone.task.other",
        "experiments.swept.seeds",
        "claims.compared.rule",
    ] == [mistake.split(":")[0] for mistake in found]


def test_a_message_carries_the_source_and_the_number_of_mistakes(read, valid):
    with pytest.raises(SuiteError) as error:
        read(valid.replace("steps = 60", "steps = 0").replace("seeds = 5", "seeds = -1"))
    assert "valid.toml: 2 mistakes" == str(error.value).splitlines()[0]
    assert 2 == len(error.value.mistakes)


def test_an_unknown_name_hints_at_the_plugin_that_failed(valid, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_that_name")
    with pytest.raises(SuiteError) as error:
        parse_suite(valid.replace('"even"', '"odd"'), "valid.toml", [DOUBLES, broken])
    assert "broken.py may have it, but has an error: ModuleNotFoundError" in str(error.value)


def test_a_plugin_that_the_suite_names_must_be_whole(valid, tmp_path):
    broken = tmp_path / "mine.py"
    broken.write_text(
        DOUBLES.read_text().replace("def register_optimizers", "def register_optimiser")
    )
    text = f"plugins = ['{broken}']\n" + valid
    with pytest.raises(SuiteError) as error:
        parse_suite(text, "valid.toml", folder=tmp_path)
    first = error.value.mistakes[0]
    assert "plugins[0]" == first.place
    assert (
        "there is no hook 'register_optimiser'; did you mean 'register_optimizers'?"
        in first.message
    )


def test_a_name_that_two_plugins_registered_is_a_mistake_that_names_both(valid, tmp_path):
    twin = tmp_path / "twin.py"
    twin.write_text(DOUBLES.read_text())
    with pytest.raises(SuiteError) as error:
        parse_suite(valid, "valid.toml", [DOUBLES, twin])
    message = error.value.mistakes[0].message
    assert f"registered by {DOUBLES} and by {twin}" in message


def to_toml(value: object) -> str:
    """One value, inline."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_toml(k)} = {to_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(to_toml(item) for item in value) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" for letter in value) + '"'
    return repr(value)


def leaves(value: object, way: tuple = ()) -> list[tuple]:
    """The way to every value in a document, tables and lists too."""
    inside = value.items() if isinstance(value, dict) else []
    inside = enumerate(value) if isinstance(value, list) else inside
    return [(*way, key) for key, _ in inside] + [
        leaf for key, item in inside for leaf in leaves(item, (*way, key))
    ]


text = st.text(st.characters(codec="utf-8"), max_size=5)
anything = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(), text, st.sampled_from(["drift", "2x4", "alone"])
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=60)
@given(data=st.data())
def test_whatever_stands_in_a_file_it_is_a_suite_or_a_suite_error(data, valid, read):
    """Any one value replaced by any other is a suite still, or an error with its mistakes."""
    document = tomllib.loads(valid)
    *way, last = data.draw(st.sampled_from(leaves(document)))
    inside = document
    for step in way:
        inside = inside[step]
    inside[last] = data.draw(anything)
    written = "".join(f"{key} = {to_toml(value)}\n" for key, value in document.items())
    assert document.keys() == tomllib.loads(written).keys()
    try:
        suite = read(written)
    except SuiteError as error:
        problems = [mistake.message for mistake in error.mistakes]
        runs = {}
    else:
        problems = []
        runs = suite.runs()
    assert all(problems)
    assert bool(problems) != bool(runs)


ACROSS_LEVELS = """
[recipes.small]
optimizer = "adamw"
steps = 60

[experiments.addition]
task = { name = "modular_adition", modulus = 7 }
architecture = { name = "dense", head = 4 }
recipe = "smal"
model_sizes = [4, 6]
data_sizes = [20, 50]
seed = 5

[claims.dip]
statement = "Accuracy dips"
detector = { name = "dynamics", expected = "groking" }
experiment = "adition"
where = { data_size = 30 }
rule = { at_most = 0.1 }
"""


def test_what_was_probably_meant_is_checked_as_well(read):
    """Typing errors do not hide a size that heads do not divide, nor too many examples."""
    with pytest.raises(SuiteError) as error:
        read(ACROSS_LEVELS)
    found = [str(mistake) for mistake in error.value.mistakes]
    expected = [
        "experiments.addition.task.name: there is no task 'modular_adition'; did you mean",
        "experiments.addition.architecture.head: unknown key; did you mean 'heads'?",
        "experiments.addition.recipe: there is no recipe 'smal'; did you mean 'small'?",
        "experiments.addition.model_sizes[1]: 4 heads do not divide a hidden size of 6; write 4 or 8",
        "experiments.addition.data_sizes[1]: there are 49 pairs below 7; write 1 to 49, not 50",
        "experiments.addition.seed: unknown key; did you mean 'seeds'?",
        "claims.dip.detector.expected: should be ",
        "claims.dip.experiment: there is no experiment 'adition'; did you mean 'addition'?",
        "claims.dip.where.data_size: 'addition' has no data_size 30; it has 20, 50",
    ]
    assert len(expected) == len(found), found
    for start, mistake in zip(expected, found, strict=True):
        assert mistake.startswith(start), mistake


def test_a_number_of_more_digits_than_python_prints_is_a_mistake():
    for number in (f"0x{'F' * 5000}", "1" * 5000):
        with pytest.raises(SuiteError, match=r"line 2: .*write a smaller number"):
            parse_suite(f"[claims.a]\nwhere = {{ seed = {number} }}", "huge.toml")
