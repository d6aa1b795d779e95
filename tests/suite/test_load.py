"""What a valid suite becomes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grokbench.errors import SuiteError
from grokbench.record import Choice, ModelSize, Recipe
from grokbench.suite import Rule, load_suite, parse_suite

DOUBLES = Path(__file__).with_name("doubles.py")
SUITES = Path(__file__).parents[2] / "suites"


def test_an_experiment_is_the_grid_that_the_file_says(valid, read):
    alone = read(valid).experiments["alone"]
    assert ("model_size", "data_size", "seed") == alone.dimensions
    assert (ModelSize(4), ModelSize(8), ModelSize(64, layers=2)) == alone.model_sizes
    assert (10, 20) == alone.data_sizes
    assert (0, 1, 2, 3, 4) == alone.seeds
    assert "Counting alone" == alone.title


def test_options_are_stored_with_their_defaults_spelled_out(valid, read):
    alone = read(valid).experiments["alone"]
    options = {"limit": 50, "order": "up", "weights": [0.5, 0.5]}
    assert Choice("counting", options, version=3) == alone.task
    assert Choice("even", {}) == alone.architecture


def test_saying_a_default_or_leaving_it_out_gives_the_same_runs(valid, read):
    said = valid.replace("limit = 50", 'limit = 50, order = "up", weights = [0.5, 0.5]').replace(
        "steps = 60", 'steps = 60\ndecay_on = "all"\nwarmup_steps = 10\nweight_decay = 1'
    )
    assert list(read(valid).runs()) == list(read(said).runs())


def test_a_recipe_field_given_as_a_list_is_one_more_axis(valid, read):
    swept = read(valid).experiments["swept"]
    drift = Choice("drift", {"speed": 1.0})
    assert ("optimizer", "learning_rate", "model_size", "data_size", "seed") == swept.dimensions
    assert (2, 2, 1, 1, 2) == swept.shape
    assert (0.001, 1.0) == swept.swept["learning_rate"]
    assert drift == swept.swept["optimizer"][0]
    assert "sgd" == swept.swept["optimizer"][1].name
    assert Recipe(drift, steps=60, learning_rate=0.001) == swept.recipe


def test_a_claim_keeps_its_rule_its_roles_and_its_selection(valid, read):
    claims = read(valid).claims
    assert {"experiment": "alone"} == claims["seen"].experiments
    assert {"data_size": 10, "model_size": [8, "2x64"]} == claims["seen"].where
    assert Rule(at_least=0.2) == claims["seen"].rule
    assert 5 == claims["seen"].minimum_seeds
    assert {"left": "alone", "right": "swept"} == claims["compared"].experiments
    assert Rule(at_most=1.0) == claims["compared"].rule
    assert 3 == claims["compared"].minimum_seeds


def test_a_claim_expects_to_be_reproduced_unless_it_says_otherwise(valid, read):
    told = valid.replace("minimum_seeds = 3", 'expect = "not reproduced"')
    claims = read(told).claims
    assert ("reproduced", "not reproduced") == (claims["seen"].expect, claims["compared"].expect)


def test_one_layer_may_be_written_out_in_a_selection(valid, read):
    suite = read(valid.replace('[8, "2x64"]', '["1x8"]'))
    assert [8] == suite.claims["seen"].where["model_size"]


def test_optimizers_that_share_a_name_are_selected_by_their_options(valid, read):
    text = valid.replace('["drift", "sgd"]', '["drift", { name = "drift", speed = 3 }]')
    suite = read(text.replace('optimizer = "sgd" }', 'optimizer = "drift(speed=3.0)" }'))
    assert "drift(speed=3.0)" == suite.claims["compared"].where["optimizer"]


def test_a_part_of_a_task_may_be_selected(valid, read):
    text = valid.replace('"counting", limit = 50', '"mixture"').replace('"even"', '"dense"', 1)
    suite = read(text.replace("where = { data_size = 10", 'where = { part = "addition"', 1))
    assert "addition" == suite.claims["seen"].where["part"]


def test_a_suite_is_named_after_its_file_unless_it_says_otherwise(valid, tmp_path):
    file = tmp_path / "quick.toml"
    file.write_text(valid)
    assert "quick" == load_suite(file, [DOUBLES]).name
    file.write_text('name = "other"\n' + valid)
    assert "other" == load_suite(file, [DOUBLES]).name


def test_a_suite_carries_its_text_its_path_and_its_plugins(valid, tmp_path):
    text = 'plugins = ["mine.py"]\n' + valid
    file = tmp_path / "quick.toml"
    file.write_text(text)
    (tmp_path / "mine.py").write_text(DOUBLES.read_text())
    suite = load_suite(file)
    assert (text, file) == (suite.text, suite.path)
    assert ((tmp_path / "mine.py").resolve(),) == suite.plugins.files


def test_a_suite_reads_the_same_from_its_own_text(valid, tmp_path):
    file = tmp_path / "valid.toml"
    file.write_text(valid)
    loaded = load_suite(file, [DOUBLES])
    parsed = parse_suite(loaded.text, "valid.toml", loaded.plugins.files)
    assert loaded.experiments == parsed.experiments
    assert loaded.claims == parsed.claims


def test_a_text_away_from_its_file_takes_its_plugin_from_the_files_given(valid):
    suite = parse_suite('plugins = ["doubles.py"]\n' + valid, "results.nc", [DOUBLES])
    assert (DOUBLES.resolve(),) == suite.plugins.files


def test_a_broken_plugin_that_the_suite_does_not_name_is_no_mistake(valid, tmp_path):
    broken = tmp_path / "broken.py"
    broken.write_text("import nothing_of_that_name")
    assert 2 == len(parse_suite(valid, "valid.toml", [broken, DOUBLES]).experiments)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = " + "[" * 5000, "cannot be read as TOML"),
        ("y = '" + "a" * 5000 + "'\nx = " + "[" * 5000, "cannot be read as TOML"),
        ("x = " + "9" * 5000, "line 1: has a number with thousands of digits"),
    ],
    ids=["deep", "deep beside a long text", "long"],
)
def test_what_no_parser_can_read_is_a_mistake_too(text, told):
    with pytest.raises(SuiteError, match=told):
        parse_suite(text, "odd.toml")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[recipes.small\n", "line 1, column 15"),
        ('title = "A"\nname = = 3', "line 2, column 8"),
        ('title = "A"\nseeds = [1, 2', "line 2, column 14"),
    ],
)
def test_a_syntax_error_says_its_line_and_column(text, place):
    with pytest.raises(SuiteError) as error:
        parse_suite(text, "broken.toml")
    assert [place] == [mistake.place for mistake in error.value.mistakes]
    assert "is not TOML" in str(error.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_a_suite_error(tmp_path, content):
    file = tmp_path / "odd.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SuiteError, match=r"odd\.toml"):
        load_suite(file)


@pytest.mark.parametrize("file", sorted(SUITES.glob("*.toml")), ids=lambda file: file.stem)
def test_every_suite_that_comes_with_grokbench_has_no_mistakes(file):
    suite = load_suite(file)
    assert file.stem == suite.name
    assert suite.runs()


sizes = st.lists(
    st.one_of(
        st.integers(1, 500).map(lambda half: ModelSize(2 * half)),
        st.builds(ModelSize, st.integers(1, 500).map(lambda half: 2 * half), st.integers(2, 9)),
    ),
    min_size=1,
    max_size=5,
    unique=True,
)
counts = st.lists(st.integers(1, 50), min_size=1, max_size=5, unique=True)


@settings(max_examples=30)
@given(
    sizes=sizes,
    data_sizes=counts,
    seeds=st.lists(st.integers(0, 2**63 - 1), min_size=1, max_size=5, unique=True),
)
def test_what_is_written_is_what_is_read(sizes, data_sizes, seeds):
    labels = ", ".join(f'"{s.label}"' if s.layers > 1 else str(s.label) for s in sizes)
    text = f"""
        [experiments.any]
        task = {{ name = "counting", limit = 50 }}
        architecture = "even"
        recipe = {{ optimizer = "drift", steps = 5 }}
        model_sizes = [{labels}]
        data_sizes = {data_sizes}
        seeds = {seeds}
    """
    experiment = parse_suite(text, "any.toml", [DOUBLES]).experiments["any"]
    assert (tuple(sizes), tuple(data_sizes), tuple(seeds)) == (
        experiment.model_sizes,
        experiment.data_sizes,
        experiment.seeds,
    )
    assert len(sizes) * len(data_sizes) * len(seeds) == len({r.id for _, r in experiment.grid()})
